"""Which services a repository has, and which of them a command line names.

The answer is the same for the working tree and for a commit, because it is asked of a
:class:`~hanbae.repository.trees.Tree`: a service is what has a chart where the policy says that charts are, by the
files that git has or would take.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final, Literal

import msgspec

from hanbae import errors, subjects
from hanbae.policy import (
    boundaries,
    documents,
    environments,
    folders,
    loading,
    naming,
    service_paths,
)
from hanbae.repository import trees

CHART: Final = "Chart.yaml"
_MANIFESTS: Final = (".yaml", ".yml", ".json")

Engine = Literal["helm", "kustomize", "directory"]
"""What makes a service's objects of its files."""


def opened(directory: Path) -> loading.Loaded:
    """The policy of a folder, with the services of its working tree located.

    Raises:
        errors.WrongUse: There is no policy, or it is another user's.
        errors.FileFault: The policy has a fault.
    """
    return of_folder(loading.load(loading.find(directory)))


def of_folder(loaded: loading.Loaded) -> loading.Loaded:
    """A policy with the services of its working tree located."""
    if service_paths.follow_from_names(loaded.policy.services):
        return loaded
    policy = located(loaded.policy, trees.WorkingTree(loaded.root))
    return msgspec.structs.replace(loaded, policy=policy)


def located(policy: documents.Policy, tree: trees.Tree) -> documents.Policy:
    """The policy with the chart folder of each service that a tree has; as it is where folders follow from names.

    Args:
        policy: The policy, located in another tree or not at all.
        tree: The files.
    """
    services = policy.services
    if service_paths.follow_from_names(services):
        return policy
    charts = {name: places[0] for name, places in places(policy, tree).items()}
    fields = {field: getattr(services, field) for field in documents.Services.__struct_fields__}
    overlays = _chartless(policy, tree)
    chartless = {name: overlays[name] for name in overlays if name not in charts}
    services = service_paths.Located(**fields, folders=charts, chartless=chartless)
    return msgspec.structs.replace(policy, services=services)


def _chartless(policy: documents.Policy, tree: trees.Tree) -> dict[str, dict[str, str]]:
    """Service → environment → folder, of overlays and plain manifests where the policy looks for them."""
    places_: dict[str, dict[str, str]] = {}
    named = dict(service_paths.folders(policy.services))
    for environment in environments.on_kubernetes(policy):
        for name, template in named.items():
            folder = template.replace(service_paths.ENVIRONMENT, environment)
            if not _has_chart(tree, folder) and any(map(_is_manifest, tree.files(folder))):
                places_.setdefault(name, {})[environment] = folder
        for glob in service_paths.overlay_globs(policy.services, environment):
            for path in tree.files(glob.before.rstrip("/")):
                name = _in_glob(glob, path) if _is_manifest(path) else ""
                # What the policy names counts before all globs, and of these the first one that fits.
                if not name or name in named or environment in places_.get(name, {}):
                    continue
                folder = glob.folder(name)
                excluded = service_paths.is_excluded(policy.services, folder)
                if not excluded and not _has_chart(tree, folder):
                    places_.setdefault(name, {})[environment] = folder
    return dict(sorted(places_.items()))


def _in_glob(glob: service_paths.Glob, path: str) -> str:
    """The service that a file is of: of one in the glob's folder, or below it."""
    if not path.startswith(glob.before):
        return ""
    name, _, rest = path[len(glob.before) :].partition("/")
    return name if f"/{rest}".startswith(f"{glob.after}/") and rest else ""


def _is_manifest(path: str) -> bool:
    """Whether a file may be one of Kubernetes' objects, or a kustomization."""
    name = path.rpartition("/")[2]
    return name in service_paths.KUSTOMIZATIONS or name.endswith(_MANIFESTS)


def places(policy: documents.Policy, tree: trees.Tree) -> dict[str, list[str]]:
    """Service → the folders in which a tree has a chart for it, the one that counts first; sorted by service.

    A service that the policy names with a folder is in that one; no other is called after it.
    """
    services = policy.services
    by_name: dict[str, list[str]] = {}
    named = dict(service_paths.folders(services))
    for name, folder in named.items():
        if _has_chart(tree, folder):
            by_name[name] = [folder]
    named_folders = set(named.values())
    for glob in service_paths.globs(services):
        for name in _names(glob, tree):
            folder = glob.folder(name)
            if (
                name in named
                or folder in named_folders
                or service_paths.is_excluded(services, folder)
            ):
                continue
            if folder not in by_name.setdefault(name, []):
                by_name[name].append(folder)
    return dict(sorted(by_name.items()))


def _has_chart(tree: trees.Tree, folder: str) -> bool:
    if folders.is_root(folder):
        return CHART in tree.files()
    # A folder that is a link lists nothing below it.
    return f"{folder}/{CHART}" in tree.files(folder) or tree.linked(folder) not in (None, folder)


def of(policy: documents.Policy, tree: trees.Tree) -> tuple[str, ...]:
    """The services with a chart that a tree has, sorted: folders in the place of a ``*`` of the policy with one."""
    if service_paths.follow_from_names(policy.services):
        (glob,) = service_paths.globs(policy.services)
        return tuple(sorted(_names(glob, tree)))
    return tuple(places(policy, tree))


def every(policy: documents.Policy, tree: trees.Tree) -> tuple[str, ...]:
    """The services that a tree has, sorted, those without a chart among them."""
    services = located(policy, tree).services
    if not isinstance(services, service_paths.Located):
        return of(policy, tree)
    return tuple(sorted({*services.folders, *services.chartless}))


def engine(policy: documents.Policy, tree: trees.Tree, service: str, environment: str) -> Engine:
    """What Argo CD renders a service with, by what is in its folder.

    Args:
        policy: The policy, located in the tree.
        tree: The files.
        service: The service.
        environment: The environment.
    """
    folder = service_paths.chartless_folder(policy.services, service, environment)
    if folder is None:
        return "helm"
    listed = tree.files(folder)
    is_kustomized = any(
        folders.path(folder, name) in listed for name in service_paths.KUSTOMIZATIONS
    )
    plainly = service_paths.directory(policy.services, service) is not None
    return "kustomize" if is_kustomized and not plainly else "directory"


def _names(glob: service_paths.Glob, tree: trees.Tree) -> set[str]:
    """What stands in the place of the ``*``, where there is a chart."""
    before, end = glob.before, f"{glob.after}/{CHART}"
    names = set()
    for path, content in tree.files(before.rstrip("/")).items():
        if not path.startswith(before):
            continue
        name, slash, rest = path[len(before) :].partition("/")
        inside = f"/{rest}" if slash else ""
        # What stands where a chart should and is none is reported by what cannot be read of it.
        folder = inside.startswith(f"{end}/")
        submodule = content.startswith(trees.SUBMODULE) and end.startswith(f"{inside}/")
        if inside == end or folder or submodule:
            names.add(name)
    return {name for name in names if name}


def of_checkout(loaded: loading.Loaded) -> tuple[str, ...]:
    """The services of the working tree in which a policy was found."""
    return every(loaded.policy, trees.WorkingTree(loaded.root))


def require(names: Iterable[str], services: Collection[str], *, source: str) -> None:
    """Refuse services that a repository does not have.

    Args:
        names: What a command line names.
        services: Those that there are.
        source: Where they were looked for, as git writes it: ``services/*/helm``, ``develop:services/*/helm``.

    Raises:
        errors.WrongUse: The first that is not there; the facts hold those that are.
    """
    for name in names:
        if name not in services:
            if not services:
                raise errors.WrongUse("services.none", service=name, source=source)
            listed = ", ".join(services)
            raise errors.WrongUse("services.unknown", service=name, source=source, known=listed)


def source(policy: documents.Policy, *revisions: str) -> str:
    """Where services are looked for, for messages: in the working tree, or in some commits."""
    named = [path for _, path in service_paths.folders(policy.services)]
    paths = dict.fromkeys((*policy.services.paths, *named))
    if not revisions:
        return ", ".join(paths)
    return ", ".join(
        f"{revision}:{path}" for revision in dict.fromkeys(revisions) for path in paths
    )


def check(loaded: loading.Loaded, *names: str) -> tuple[str, ...]:
    """The services of the working tree, once those that a command line names are known to be among them.

    Raises:
        errors.WrongUse: One of them is not there.
    """
    services = of_checkout(loaded)
    require(names, services, source=source(loaded.policy))
    return services


def check_one(loaded: loading.Loaded, name: str) -> None:
    """Refuse a service that the working tree does not have; one whose chart lies where it should needs no look at git.

    Raises:
        errors.WrongUse: It is not there.
    """
    if service_paths.follow_from_names(loaded.policy.services) and name not in ("", ".", ".."):
        # A link is left to git's own listing (`check`), which knows what it leads to.
        file = loaded.root / naming.chart(loaded.policy, name) / CHART
        with contextlib.suppress(OSError):  # a name that no file system takes is none that is there
            is_own = "/" not in name and not file.parent.is_symlink() and not file.is_symlink()
            if is_own and boundaries.inside(loaded.root, file) is not None and file.is_file():
                return
    check(loaded, name)


def chosen(
    policy: documents.Policy,
    tree: trees.Tree,
    names: Iterable[str],
    *,
    revision: str,
    environment: str,
) -> tuple[str, ...]:
    """The services of a commit that a command line names, in its order and each once; all of them when it names none.

    A service without a chart that has nothing for the environment is left out of all of them.

    Args:
        policy: The policy.
        tree: The commit's files.
        names: What the command line names.
        revision: How the commit is called in messages: its branch, or as the command line has it.
        environment: The environment.

    Raises:
        errors.WrongUse: The commit has no such service, or none at all.
    """
    services = every(policy, tree)
    located_services = located(policy, tree).services
    present = tuple(
        name for name in services if service_paths.is_in(located_services, name, environment)
    )
    picked = tuple(dict.fromkeys(names)) or present
    source_name = source(policy, revision)
    require(picked, services, source=source_name)
    if not services:
        raise errors.WrongUse("services.none-yet", path=source_name)
    if not picked:
        listed = ", ".join(services)
        raise errors.WrongUse(
            "services.none-in", source=source_name, environment=environment, known=listed
        )
    return picked


def values_file(loaded: loading.Loaded, service: str, environment: str) -> tuple[Path, str]:
    """The values file of a service in an environment: its path, and how it is called in messages.

    Raises:
        errors.FileFault: A symlink on the way leads out of the repository.
    """
    relative = naming.values_file(loaded.policy, service, environment)
    path = loaded.root / relative
    if boundaries.inside(loaded.root, path) is None:
        raise errors.FileFault("placing.outside", place=subjects.Place(str(relative)))
    return path, str(relative)
