"""What a saved plan promises, worked out from a revision, and the guards that hold a deployment to it.

Each promise becomes a guard of its own, so that a refusal can say which one does not hold.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from hanbae import errors, excerpts, patterns
from hanbae.planning import deployments, differing, digests, forecasting, migrating
from hanbae.policy import documents, environments
from hanbae.results import guards as promises
from hanbae.results import plans, saved_plans

MOST_SHOWN: Final = 40
"""Differences that a refusal names one by one."""
_HASH: Final = patterns.lazy(r"\b(?:[0-9a-f]{64}|[0-9a-f]{40})\b")
_SHORT: Final = 12


def policy_digest(policy: documents.Policy) -> str:
    """SHA-256 of what a policy says."""
    return digests.of(policy)


def service(source: deployments.Source, images: Mapping[str, str]) -> saved_plans.Service:
    """What is promised of a service.

    Args:
        source: The service at its revision.
        images: Reference → digest, for all of :func:`references`.

    Raises:
        hanbae.errors.FileFault: The migrations are not ones of goose's.
    """
    return saved_plans.Service(
        source.service,
        digests.of_manifests(source.rendered.manifests),
        dict(sorted(images.items())),
        migrating.of(source.revision, source.databases(), source.migrations),
    )


def references(source: deployments.Source) -> tuple[str, ...]:
    """The images that a service runs, hooks included, each once."""
    images = (
        str(container.get("image") or "")
        for manifest in source.rendered.manifests
        for container in forecasting.containers(manifest.object)
    )
    return tuple(sorted({image for image in images if image}))


def guards(frozen: saved_plans.Frozen, promised: saved_plans.Service) -> Iterator[promises.Guard]:
    """The promises of one service, those of the whole file first."""
    yield promises.BranchHead(frozen.branch, frozen.revision)
    yield promises.FrozenProgram(frozen.hanbae)
    yield promises.FrozenPolicy(frozen.policy)
    yield promises.FrozenCluster(frozen.cluster)
    yield from of_service(promised)


def of_service(promised: saved_plans.Service) -> Iterator[promises.Frozen]:
    """The promises that are one service's own."""
    yield promises.FrozenObjects(promised.objects)
    yield promises.FrozenImages(", ".join(promised.images))
    for reference, digest in promised.images.items():
        yield promises.FrozenDigest(reference, digest)
    yield promises.FrozenDatabases(", ".join(promised.migrations))
    for database, files in promised.migrations.items():
        yield promises.FrozenVersions(database, ", ".join(map(str, files)))
        for version, digest in files.items():
            yield promises.FrozenMigration(database, str(version), digest)


def check_names(
    frozen: saved_plans.Frozen, policy: documents.Policy, services: tuple[str, ...]
) -> None:
    """Refuse when the file is about what there is not.

    Args:
        frozen: The file's content.
        policy: The policy.
        services: The services of the branch; empty when they are not known yet.

    Raises:
        hanbae.errors.Refused: It is.
    """
    unknown: list[tuple[str, str, str]] = []
    environment = policy.environments.get(frozen.environment)
    if environment is None or frozen.environment not in environments.on_kubernetes(policy):
        unknown.append(("environment", frozen.environment, ""))
    elif environment.branch != frozen.branch:
        unknown.append(("branch", frozen.branch, environment.branch or ""))
    if services:
        unknown += [
            ("service", service.service, "")
            for service in frozen.services
            if service.service not in services
        ]
    names = [service.service for service in frozen.services]
    refuse(
        tuple(saved_plans.Difference(*service) for service in unknown),
        names,
        frozen.environment,
    )


def refuse(
    differing_promises: tuple[saved_plans.Difference, ...],
    services: Iterable[str],
    environment: str,
) -> None:
    """Refuse where there are differences to a saved plan of services.

    Raises:
        hanbae.errors.Refused: There are.
    """
    if not differing_promises:
        return
    lines = [
        f"{excerpts.clipped(difference.promise, differing.LONGEST)}: {_clipped(difference.expected) or '-'}"
        f" → {_clipped(difference.found) or '-'}"
        for difference in differing_promises[:MOST_SHOWN]
    ]
    if len(differing_promises) > MOST_SHOWN:
        lines.append(f"… {len(differing_promises) - MOST_SHOWN}")
    raise errors.Refused(
        "deploy.plan-differs",
        differences="\n".join(lines),
        services=shlex.join(services),
        environment=shlex.quote(environment),
    )


def _clipped(value: str) -> str:
    """A value of which as much is shown as tells it from another: of digests and commits the beginning."""
    shortened = _HASH.sub(lambda match: match[0][:_SHORT], value)
    return excerpts.clipped(shortened, differing.LONGEST)


def check_head(frozen: saved_plans.Frozen, head: str) -> None:
    """Refuse when the branch is elsewhere: nothing else need be looked at.

    Raises:
        hanbae.errors.Refused: It is.
    """
    names = [service.service for service in frozen.services]
    promised_head = promises.BranchHead(frozen.branch, frozen.revision)
    refuse_moved(promised_head, head, names, frozen.environment)


def refuse_moved(
    promised: promises.BranchHead | None, head: str, services: Iterable[str], environment: str
) -> None:
    """Refuse when a branch is elsewhere than a saved plan of services says.

    Raises:
        hanbae.errors.Refused: It is.
    """
    if promised is not None and head != promised.commit:
        raise errors.Refused(
            "deploy.plan-head-moved",
            branch=promised.branch,
            expected=_clipped(promised.commit),
            head=_clipped(head),
            services=excerpts.clipped(shlex.join(services), differing.LONGEST),
            environment=environment,
        )


def promised(frozen: saved_plans.Frozen, name: str) -> saved_plans.Service:
    """What a file promises of a service.

    Raises:
        hanbae.errors.Refused: Nothing.
    """
    for service in frozen.services:
        if service.service == name:
            return service
    names = ", ".join(service.service for service in frozen.services) or "-"
    raise errors.Refused("deploy.plan-without-service", service=name, known=names)


def bound(
    plan: plans.Plan, frozen: saved_plans.Frozen, promised: saved_plans.Service
) -> plans.Plan:
    """A plan that keeps the promises of a file, instead of those of its own that are of the same kinds."""
    # The file promises what is deployed, digests and all; only what runs in the end is the plan's own promise.
    own = (guard for guard in promises.of(plan) if isinstance(guard, promises.RunningImage))
    stored = promises.written((*guards(frozen, promised), *own))
    return msgspec.structs.replace(plan, guards=stored)


def differences(
    expected: Iterable[promises.Guard], current: Iterable[promises.Guard]
) -> tuple[saved_plans.Difference, ...]:
    """The promises of a saved plan that do not hold; what runs in the end is looked at in the end.

    Args:
        expected: The promises.
        current: What could be promised now. A promise that is not among these is about something that is gone.
    """
    values = {promises.promise(guard): promises.expected(guard) for guard in current}
    return tuple(
        saved_plans.Difference(promise, value, values.get(promise, ""))
        for promise, value in (
            (promises.promise(guard), promises.expected(guard))
            for guard in expected
            if not isinstance(guard, promises.RunningImage)
        )
        if values.get(promise, "") != value
    )
