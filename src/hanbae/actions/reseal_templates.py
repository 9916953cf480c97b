"""Finds the SealedSecrets that stand in charts' templates, for sealing them anew and for trying a backup on them.

What binds a value, its namespace, name and scope, is known once the chart is rendered for the environment; where it is
written is known from the templates alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from hanbae import errors, subjects
from hanbae.actions import broken_files
from hanbae.charts import pools
from hanbae.checking import projects
from hanbae.planning import sealed_files, sealed_templates
from hanbae.policy import environments
from hanbae.repository import services, trees
from hanbae.rules import views
from hanbae.rules.secrets import secret_readers
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


async def read(
    directory: Path,
    names: Sequence[str],
    environment: str | None,
    *,
    broken: list[errors.FileFault] | None = None,
) -> list[sealed_files.SealedFile]:
    """The same for who only opens the values: whose value it is and where it is written does not matter.

    Args:
        directory: The repository or a folder in it.
        names: Services; all of the repository if there are none.
        environment: Only this environment; None for all.
        broken: Takes the faults of charts that do not render, so that the rest is read; None to raise the first.

    Raises:
        errors.WrongUse: A service or the environment is not there.
        errors.FileFault: The policy has a fault, or a chart does not render.
        errors.Refused: The policy says that values are in a store.
    """
    holding = may_have(directory, names)
    project = projects.project(directory)
    if environment is not None:
        environments.require(environment, project.policy)
    if not holding:
        return []
    files: list[sealed_files.SealedFile] = []
    async with pools.opened() as pool:
        for name in holding:
            try:
                result = await projects.service(pool, project, name)
            except errors.FileFault as fault:
                broken_files.take(fault, broken)
                continue
            for place, problem in result.faults:
                if environment in (None, place):
                    broken_files.take(problem, broken)
            for place, release in result.service.releases.items():
                if environment in (None, place):
                    files += [
                        _file(name, place, manifest, manifest.template, values)
                        for manifest, values in _sealed(release)
                    ]
    return files


def _of_service(service: views.Service, environment: str) -> Iterator[sealed_files.SealedFile]:
    release = service.releases.get(environment)
    if release is None:
        return
    for manifest, values in _sealed(release):
        by_path: dict[str, dict[str, str]] = {}
        for key, text in values.items():
            _refuse_shared(service, environment, manifest, key, text)
            by_path.setdefault(_path(service, environment, manifest, key, text), {})[key] = text
        for path, own in by_path.items():
            yield _file(service.name, environment, manifest, path, own)


def _sealed(release: views.Release) -> Iterator[tuple[views.Object, dict[str, str]]]:
    """The SealedSecrets of a release, and what is sealed in them; what stands in the values is found there."""
    for manifest in secret_readers.sealed(release):
        values = {
            key: value if isinstance(value, str) else ""
            for key, value in secret_readers.ciphertexts(manifest).items()
            if release.value(*pins.DATA, key) != value
        }
        if values:
            yield manifest, values


def _file(
    service: str, environment: str, manifest: views.Object, path: str, values: dict[str, str]
) -> sealed_files.SealedFile:
    return sealed_files.SealedFile(
        service,
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
        for sealed in secret_readers.sealed(release):
            if value in secret_readers.ciphertexts(sealed).values():
                place = sealed_templates.place(
                    service.text(manifest.template) or "", manifest.template, key
                )
                facts = {"key": key, "environment": environment, "other": other}
                raise errors.Refused("seal.reseal-shared", place=place, **facts)
