"""Writes into ``k8s/rbac/<environment>`` as whom hanbae deploys there, and what that identity may do.

An environment in one cluster gets one folder; where Argo CD's cluster is not that of the pods, ``control`` and
``workload`` are folders of their own, and the deployer is an account in each. Helm knows the pods' cluster alone.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import structs

from hanbae import errors
from hanbae.argo import admitting, authorizing, sealing_access
from hanbae.charts import filling, pools, values
from hanbae.migrations import declared_databases
from hanbae.planning import rights, sealed_files
from hanbae.policy import documents, loading, naming, service_paths
from hanbae.policy import environments as policy_environments
from hanbae.releases import rights as release_rights
from hanbae.repository import generated_files, services, trees
from hanbae.results import files

FOLDER: Final = naming.RBAC
SEALING: Final = "k8s/sealing"
"""Where it is written who may ask the Sealed Secrets controller."""
_MARK: Final = "hanbae generate rbac"
_OF_NO_SERVICE: Final = ("/identity.yaml", "/kustomization.yaml")
"""Files that are the same whatever the services are."""


async def generate_rbac(
    directory: Path,
    *,
    environments: Collection[str] = (),
    groups: Sequence[str] = (),
    check: bool = False,
    broken: list[errors.FileFault] | None = None,
) -> tuple[files.FileChange, ...]:
    """Write the deployer, its Roles and its admission policies for each environment on Kubernetes.

    The services, the repositories of their images and the keys of their databases are read from the files as they are
    checked out: where an environment's branch has others, from that branch. Files of environments that are no longer
    in the policy are deleted, if hanbae wrote them.

    Args:
        directory: The repository or a folder in it.
        environments: Only these; all by default.
        groups: Groups of the clusters' users that may deploy like the deployer, and are held to the same.
        check: Touch nothing, and call ``stale`` what is not fresh.
        broken: With `check`, takes the faults of services that cannot be read, each once, so that all else is
            compared: the other environments, and in theirs what does not depend on services. None to raise the first.

    Raises:
        errors.WrongUse: An environment that the policy does not have, or that is not on Kubernetes; no services.
        errors.FileFault: The policy or a values file has a fault; a service with databases names no image.
    """
    loaded = services.opened(directory)
    _check_groups(groups)
    files: dict[str, str] = {}
    readable = []
    async with pools.opened() as pool:
        for name in policy_environments.chosen(loaded.policy, environments):
            faults: list[errors.FileFault] | None = [] if check and broken is not None else None
            services_ = await described(pool, loaded, name, broken=faults)
            texts = manifests(loaded.policy, name, services_, groups=groups)
            if faults:
                # What depends on services would lack those that cannot be read, so that it would
                # always be called stale.
                texts = {
                    path: text for path, text in texts.items() if path.endswith(_OF_NO_SERVICE)
                }
            else:
                readable.append(name)
            files |= texts
            if broken is not None:
                broken += [fault for fault in faults or () if str(fault) not in map(str, broken)]
    # Folders in which files that nothing asks for any more are looked for: all of them, because an
    # environment whose clusters were split or joined leaves files of another layout. Where some
    # environments are named, or some services could not be read, only those environments whose
    # files are complete.
    folders = [f"{FOLDER}/{name}" for name in (readable if broken else environments)] or [FOLDER]
    return generated_files.write(loaded.root, files, folders=folders, mark=_MARK, check=check)


def generate_sealing(
    directory: Path,
    *,
    environments: Collection[str] = (),
    sealers: Sequence[str],
    check: bool = False,
) -> tuple[files.FileChange, ...]:
    """Write who may ask the Sealed Secrets controller of each environment, into ``k8s/sealing``.

    Args:
        directory: The repository or a folder in it.
        environments: Only these; all on Kubernetes by default.
        sealers: Groups of the clusters' users.
        check: Touch nothing, and call ``stale`` what is not fresh.

    Raises:
        errors.WrongUse: An environment that the policy does not have, or that is not on Kubernetes; a name that is
            no group's.
        errors.FileFault: The policy has a fault.
        errors.Refused: Nothing is sealed: the policy says that values are in a store.
    """
    loaded = services.opened(directory)
    sealed_files.refuse_store(loaded)
    _check_groups(sealers)
    texts: dict[str, str] = {}
    for name in policy_environments.chosen(loaded.policy, environments):
        words = [_MARK, "--env", name, *(f"--sealers {shlex.quote(group)}" for group in sealers)]
        folder = f"{SEALING}/{name}"
        facts = {"command": " ".join(words), "folder": folder}
        header = filling.filled("repository/sealing.yaml", loaded.policy.language, facts)
        objects = {"sealing.yaml": sealing_access.objects(loaded.policy, name, sealers)}
        for file, manifests_ in generated_files.kustomized(objects).items():
            texts[f"{folder}/{file}"] = generated_files.manifest(header, manifests_)
    return generated_files.write(loaded.root, texts, folders=[], mark=_MARK, check=check)


def _check_groups(groups: Sequence[str]) -> None:
    for group in groups:
        if not group.strip() or not group.isprintable():
            raise errors.WrongUse("rbac.not-a-group", group=repr(group))


async def described(
    pool: pools.Pool,
    loaded: loading.Loaded,
    environment: str,
    *,
    broken: list[errors.FileFault] | None = None,
) -> tuple[authorizing.Service, ...]:
    """What the permissions depend on, of each service of the repository.

    Args:
        pool: Renders.
        loaded: The policy.
        environment: The environment.
        broken: Takes the faults of services that cannot be read, which are left out; None to raise the first.

    Raises:
        errors.WrongUse: There are no services.
        errors.FileFault: A values file has a fault, or names no image for a service with databases; a chart that has
            migrations of its own does not render.
    """
    names = tuple(name for name in services.of_checkout(loaded) if naming.is_service(name))
    if not names:
        raise errors.WrongUse("services.none-yet", path=services.source(loaded.policy))
    read = []
    for name in names:
        try:
            read.append(await _described(pool, loaded, name, environment))
        except errors.FileFault as fault:
            if broken is None:
                raise
            broken.append(fault)
    return tuple(read)


async def _described(
    pool: pools.Pool, loaded: loading.Loaded, service: str, environment: str
) -> authorizing.Service:
    if service_paths.has_no_chart(loaded.policy.services, service):
        tree = trees.WorkingTree(loaded.root)
        return await rights.rendered(pool, loaded.policy, tree, service, environment)
    path, file = services.values_file(loaded, service, environment)
    if not path.is_file():
        return authorizing.Service(service)  # it is not in this environment yet: nothing to prove
    document = values.read(path, file)
    declared = None
    if declared_databases.are_declared(document.data):
        place = document.place(authorizing.IMAGE)
        declared = release_rights.declared(
            loaded.policy, service, environment, document.data, place
        )
        # Helm needs more rights than a proof: the kinds and Secrets of the release are known once
        # it is rendered.
        if not policy_environments.by_helm(loaded.policy, environment):
            return declared
    tree = trees.WorkingTree(loaded.root)
    policy = services.located(loaded.policy, tree)
    rendered = await rights.rendered(pool, policy, tree, service, environment)
    if declared is None:
        return rendered
    return structs.replace(declared, kinds=rendered.kinds, secrets=rendered.secrets)


def manifests(
    policy: documents.Policy,
    environment: str,
    described: Sequence[authorizing.Service],
    *,
    groups: Sequence[str] = (),
) -> dict[str, str]:
    """The files of one environment: path relative to the repository → text."""
    command = " ".join(
        [_MARK, "--env", environment, *(f"--group {shlex.quote(name)}" for name in groups)]
    )
    files: dict[str, str] = {}
    by_helm = policy_environments.by_helm(policy, environment)
    head = "repository/rbac-helm.yaml" if by_helm else "repository/rbac.yaml"
    for folder, clusters in _folders(policy, environment):
        home = authorizing.namespace(policy, environment)
        facts = {"command": command, "folder": folder, "home": home}
        header = filling.filled(head, policy.language, facts)
        documents_: dict[str, Sequence[dict[str, Any]]] = {
            "identity.yaml": authorizing.identity(policy, environment),
            "roles.yaml": authorizing.roles(
                policy, environment, described, clusters=clusters, groups=groups
            ),
            "admission.yaml": admitting.policies(
                policy, environment, described, clusters=clusters, groups=groups
            ),
        }
        for name, objects in generated_files.kustomized(documents_).items():
            files[f"{folder}/{name}"] = generated_files.manifest(header, objects)
    return files


def _folders(
    policy: documents.Policy, environment: str
) -> Iterator[tuple[str, tuple[authorizing.Cluster, ...]]]:
    """The folders to apply, and what the cluster is that each is for."""
    settings = policy.environments[environment]
    parts_of: dict[str, list[authorizing.Cluster]] = {}
    for part in authorizing.clusters(policy, environment):
        parts_of.setdefault(naming.rbac_folder(settings, environment, part), []).append(part)
    for folder, clusters in parts_of.items():
        yield folder, tuple(clusters)
