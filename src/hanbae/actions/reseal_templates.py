"""Finds the SealedSecrets that stand in charts' templates, for :mod:`hanbae.actions.reseal`.

What binds a value, its namespace, name and scope, is known once the chart is rendered for the environment; where it is
written is known from the templates alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from hanbae import errors, subjects
from hanbae.charts import pools
from hanbae.checking import projects
from hanbae.planning import sealed_files, sealed_templates
from hanbae.policy import environments
from hanbae.repository import services, trees
from hanbae.rules import views
from hanbae.rules.secrets import reading
from hanbae.sealing import objects, pins


def may_have(directory: Path, names: Sequence[str]) -> list[str]:
    """The services that may have sealed values in their templates; no more is rendered than these.

    Args:
        directory: The repository or a folder in it.
        names: Services; all of the repository if there are none.

    Raises:
        errors.WrongUse: A service is not there.
        errors.FileFault: The policy has a fault.
        errors.Refused: The policy says that values are in a store.
    """
    loaded = services.opened(directory)
    sealed_files.refuse_store(loaded)
    services.check(loaded, *names)
    tree = trees.WorkingTree(loaded.root)
    charts = services.of(loaded.policy, tree)
    project = views.Project(loaded.policy, loaded.places, tree, charts)
    return [name for name in names or charts if name in charts and _may_hold(project, name)]


def _may_hold(project: views.Project, name: str) -> bool:
    templates = views.Service(project, name).templates
    return any(sealed_templates.may_hold(text) for _, text in templates)


async def find(
    directory: Path, names: Sequence[str], environment: str
) -> list[sealed_files.SealedFile]:
    """The SealedSecrets in the templates of some services, as an environment has them.

    Args:
        directory: The repository or a folder in it.
        names: Services with a chart.
        environment: The environment.

    Raises:
        errors.WrongUse: The environment is not in the policy.
        errors.FileFault: A chart does not render, or the value of a key is not written out in a template.
        errors.Refused: Another cluster's environment has the same value.
    """
    project = projects.project(directory)
    environments.require(environment, project.policy)
    files: list[sealed_files.SealedFile] = []
    async with pools.opened() as pool:
        for name in names:
            result = await projects.service(pool, project, name)
            for place, fault in result.faults:
                if place == environment:
                    raise fault
            files += _of_service(result.service, environment)
    return files


def _of_service(service: views.Service, environment: str) -> Iterator[sealed_files.SealedFile]:
    release = service.releases.get(environment)
    if release is None:
        return
    for manifest in reading.sealed(release):
        by_path: dict[str, dict[str, str]] = {}
        for key, value in reading.ciphertexts(manifest).items():
            if release.value(*pins.DATA, key) == value:  # in the values, and sealed anew there
                continue
            text = value if isinstance(value, str) else ""
            _refuse_shared(service, environment, manifest, key, text)
            by_path.setdefault(_path(service, environment, manifest, key, text), {})[key] = text
        for path, values in by_path.items():
            yield sealed_files.SealedFile(
                service.name,
                environment,
                path,
                {pins.DATA[1]: values},
                manifest.namespace,
                manifest.name,
                subjects.Place(path),
                chartless=False,
                scope=objects.scope(manifest.annotations),
            )


def _path(
    service: views.Service, environment: str, manifest: views.Object, key: str, value: str
) -> str:
    """The template in which a value is written: that of its object, or one with named templates.

    Raises:
        errors.FileFault: There is none in the repository, so that an expression makes it.
    """
    own = manifest.template
    texts = {path: text for path, text in service.templates if path != own}
    for path, text in ((own, service.text(own) or ""), *texts.items()):
        if sealed_templates.spans(text, value):
            return path
    place = sealed_templates.place(service.text(own) or "", own, key)
    facts = {"key": key, "service": service.name, "secret": manifest.name}
    facts["environment"] = environment
    raise errors.FileFault("seal.reseal-expression", place=place, **facts)


def _refuse_shared(
    service: views.Service, environment: str, manifest: views.Object, key: str, value: str
) -> None:
    """What two clusters open with a key that they share would be lost to one of them.

    Raises:
        errors.Refused: An environment in another cluster has this value.
    """
    settings = service.policy.environments
    for other, release in service.releases.items():
        # Only clusters that are known to differ are refused; where nobody knows (None), it may be
        # one cluster.
        if environments.share_pods_cluster(settings[other], settings[environment]) is not False:
            continue
        for sealed in reading.sealed(release):
            if value in reading.ciphertexts(sealed).values():
                place = sealed_templates.place(
                    service.text(manifest.template) or "", manifest.template, key
                )
                facts = {"key": key, "environment": environment, "other": other}
                raise errors.Refused("seal.reseal-shared", place=place, **facts)
