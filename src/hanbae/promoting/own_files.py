"""Which files of a repository are an environment's own, so that a promotion leaves them where they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hanbae.argo import source_files
from hanbae.policy import documents, environments, folders, naming, service_paths
from hanbae.rules.environments import argo


class OwnFiles:
    """The files that belong to environments, and not to the services in all of them.

    Args:
        policy: The policy, located in the tree that is looked at.
        services: The services.
        environments_: The environments whose files are meant.
        but: An environment whose files are not, although another one reads them too.
    """

    def __init__(
        self,
        policy: documents.Policy,
        services: Iterable[str],
        environments_: Iterable[str],
        *,
        but: str = "",
    ) -> None:
        names, environment_names = tuple(services), tuple(environments_)
        shared = set(_values(policy, names, but)) if but else set()
        self._files = {
            path for name in environment_names for path in _values(policy, names, name)
        } - shared
        self._folders = {
            path for name in environment_names for path in _folders(policy, names, name)
        }

    def __contains__(self, path: str) -> bool:
        return path in self._files or any(folders.holds(folder, path) for folder in self._folders)


def others(policy: documents.Policy, services: Iterable[str], environment: str) -> OwnFiles:
    """The files of every environment but one."""
    names = [name for name in environments.on_kubernetes(policy) if name != environment]
    return OwnFiles(policy, services, names, but=environment)


def every(policy: documents.Policy, services: Iterable[str]) -> OwnFiles:
    """The files of all environments."""
    return OwnFiles(policy, services, environments.on_kubernetes(policy))


def _values(policy: documents.Policy, services: Iterable[str], environment: str) -> Iterator[str]:
    for service in services:
        if service_paths.has_no_chart(policy.services, service):
            continue
        yield from map(str, naming.values_files(policy, service, environment))
        application = naming.application(policy, service, environment)
        chart = str(naming.chart(policy, service))
        yield folders.path(chart, f"{source_files.PREFIX}-{application}.yaml")


def _folders(policy: documents.Policy, services: Iterable[str], environment: str) -> Iterator[str]:
    overlay = policy.environments[environment].overlay
    if overlay:
        yield overlay
    yield f"{argo.FOLDER}/{environment}"
    yield f"{naming.RBAC}/{environment}"
    for service in services:
        folder = service_paths.chartless_folder(policy.services, service, environment)
        if folder:
            yield folder
