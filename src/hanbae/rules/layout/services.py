"""Which services the policy finds, and what their objects are called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae import subjects
from hanbae.policy import documents, environments, folders, naming, service_paths
from hanbae.repository import services
from hanbae.rules import rulebook, views
from hanbae.rules.kustomize import overlays

_SOURCE: Final = "hanbae.yaml: services"
_NAMES: Final = "https://kubernetes.io/docs/concepts/overview/working-with-objects/names/"
# Helm takes names of releases up to 53 characters.
_LONGEST: Final = {"release": 53, "application": 63, "namespace": 63}
_LONGEST_OBJECT: Final = 253


@rulebook.of_project("LAY016", "error", source=_SOURCE, essential=True)
def odd_paths(project: views.Project) -> Iterator[rulebook.Hit]:
    """A service that is found in two folders, and what the policy looks for and does not find."""
    own = project.policy.services
    if service_paths.follow_from_names(own):
        return
    places = services.places(project.policy, project.tree)
    found_in = {folder for among in places.values() for folder in among}
    for name, among in places.items():
        for other in among[1:]:
            facts = {"service": name, "first": among[0], "second": other}
            yield rulebook.Hit(subjects.Place(folders.path(other, "Chart.yaml")), facts, "twice")
    found_in |= {overlay.folder for overlay in overlays.overlays(project.policy, project.tree)}
    for index, path in enumerate(own.paths):
        key = "services.path" if isinstance(own.path, str) else f"services.path[{index}]"
        if key in project.places and not any(
            _matches(project, path, folder) for folder in found_in
        ):
            yield rulebook.Hit(project.place(key), {"path": path}, "nothing", severity="notice")
    for name, service in own.named.items():
        if name not in places and name not in project.chartless:
            key, path = f"services.named.{name}", service.path or services.source(project.policy)
            yield rulebook.Hit(project.place(key), {"service": name, "path": path}, "absent")


def _matches(project: views.Project, path: str, folder: str) -> bool:
    return any(
        service_paths.glob(path.replace(service_paths.ENVIRONMENT, environment)).service(folder)
        for environment in project.environments
    )


def _share_by_choice(policy: documents.Policy, *services: str) -> bool:
    """Whether the policy names the Secret of each of some services by itself."""
    named = policy.services.named
    return all(name in named and named[name].secret is not None for name in services)


@rulebook.of_project("LAY017", "error", source=_NAMES, essential=True)
def odd_names(project: views.Project) -> Iterator[rulebook.Hit]:
    """Names that the policy's templates give to two services, and such as Kubernetes or Helm refuses."""
    policy = project.policy
    reported: set[tuple[str, str, str]] = set()
    applications: dict[tuple[str | None, str], tuple[str, str]] = {}
    for environment in environments.on_kubernetes(policy):
        control = environments.control(policy.environments[environment])
        objects: dict[tuple[str, str, str], str] = {}
        for service in project.services:
            place = subjects.Place(folders.path(str(naming.chart(policy, service)), "Chart.yaml"))
            names = _names(project, service, environment)
            for field, name in names.items():
                limit = _LONGEST.get(field, _LONGEST_OBJECT)
                mark = (service, field, name)
                if (
                    len(name) > limit or not naming.is_object(name, field)
                ) and mark not in reported:
                    reported.add(mark)
                    facts = {"service": service, "field": field, "name": name, "limit": str(limit)}
                    yield rulebook.Hit(place, facts, "refused")
            for field in ("release", "secret"):
                key = (field, names["namespace"], names[field])
                other = objects.setdefault(key, service)
                if field == "secret" and _share_by_choice(policy, service, other):
                    continue
                if other != service and (mark := (service, field, other)) not in reported:
                    reported.add(mark)
                    facts = {"field": field, "name": names[field], "environment": environment}
                    yield rulebook.Hit(place, facts | {"service": service, "other": other}, "same")
            first = applications.setdefault((control, names["application"]), (service, environment))
            mark = (service, "application", first[0])
            if first != (service, environment) and mark not in reported:
                reported.add(mark)
                facts = {"field": "application", "name": names["application"]}
                facts |= {"service": service, "environment": environment, "other": first[0]}
                yield rulebook.Hit(place, facts, "same")


def _names(project: views.Project, service: str, environment: str) -> dict[str, str]:
    policy = project.policy
    return {
        "release": naming.release(policy, service, environment),
        "application": naming.application(policy, service, environment),
        "secret": naming.secret(policy, service, environment),
        "namespace": naming.namespace(policy, service, environment),
    }
