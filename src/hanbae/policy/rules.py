"""What a policy must fulfil beyond the types of its fields.

Each rule prevents a failure that would otherwise be met in a cluster: two environments that overwrite each other,
an automation that deadlocks, an Application name that means two things.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from hanbae import errors, patterns, subjects
from hanbae.masking import shapes
from hanbae.policy import (
    boundaries,
    documents,
    environments,
    naming,
    service_rules,
)

# A narrow part of what `git check-ref-format` allows; its first character keeps a branch from
# looking like an option.
_BRANCH: Final = patterns.lazy(
    r"(?!.*(?:\.\.|//|@\{|/\.|\.lock(?:/|$)))[A-Za-z0-9_][A-Za-z0-9._/-]*(?<![./])"
)
_FILE: Final = patterns.lazy(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_PROGRAM: Final = patterns.lazy(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,99}")
"""A program that ``PATH`` finds: no path, which could lead into the repository."""
_HOST: Final = patterns.lazy(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_HOUR: Final = 3600
_LONGEST_NAME: Final = 63

Places = Mapping[str, subjects.Place]
Fault = tuple[str, str, dict[str, str]]
"""Text id, key path, facts."""


def check(policy: documents.Policy, places: Places, name: str) -> None:
    """Refuse a policy that would fail later.

    Args:
        policy: What the types accepted.
        places: Where its keys stand.
        name: The file's name, for keys that are not there.

    Raises:
        errors.FileFault: The first rule that is broken, in the file's order of sections.
    """
    for rule in (
        _argocd,
        service_rules.check,
        _namespaces,
        _environments,
        _clusters,
        _migrations,
        _registries,
        _checklists,
        _gateways,
        _freezes,
        _receivers,
        _own,
    ):
        for text_id, key, facts in rule(policy):
            raise errors.FileFault(text_id, place=_place(places, key, name), key=key, **facts)


def _place(places: Places, key: str, name: str) -> subjects.Place:
    while key and key not in places:
        key = key.rpartition(".")[0]
    return places.get(key, subjects.Place(name))


def _argocd(policy: documents.Policy) -> Iterator[Fault]:
    repository = policy.argocd.repository
    if not repository or re.search(r"[\s\x00-\x1f]", repository):
        yield "policy.not-a-repository", "argocd.repository", {}
    if shapes.in_url(repository):
        yield "policy.password-in-url", "argocd.repository", {}
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", policy.argocd.remote):
        yield "policy.not-a-remote", "argocd.remote", {"value": policy.argocd.remote}
    server = policy.argocd.server
    if server is not None and not re.fullmatch(r"(https?://)?[A-Za-z0-9.:_/~\[\]-]+", server):
        yield "policy.not-a-server", "argocd.server", {}


def _namespaces(policy: documents.Policy) -> Iterator[Fault]:
    first: dict[str, str] = {}
    for namespace, space in policy.namespaces.items():
        for service in space.services:
            if service in first:
                facts = {"service": service, "other": first[service]}
                yield "policy.service-in-two-namespaces", f"namespaces.{namespace}.services", facts
            first[service] = namespace


def _environments(policy: documents.Policy) -> Iterator[Fault]:
    if not policy.environments:
        yield "policy.no-environments", "environments", {}
    ends = _ends(policy.environments)
    for name, environment in policy.environments.items():
        key = f"environments.{name}"
        for other in ends.get(name, ()):
            yield "policy.ambiguous-environments", f"environments.{other}", {"other": name}
        if isinstance(environment.values, str):
            if not _FILE.fullmatch(environment.values):
                yield "policy.not-a-file-name", f"{key}.values", {"value": environment.values}
        elif environment.values is not None:
            charts = service_rules.chart_folders(policy.services)
            yield from service_rules.values(f"{key}.values", environment.values, charts)
        if environment.overlay is not None and not boundaries.is_path(environment.overlay):
            yield "policy.not-a-path", f"{key}.overlay", {"value": environment.overlay}
        if environment.platform == "kubernetes":
            yield from _on_kubernetes(policy, name, environment)


def _ends(names: Collection[str]) -> dict[str, list[str]]:
    """Name → the names that end with it behind a dash; each name is divided, for comparing all pairs takes long."""
    ends: dict[str, list[str]] = {}
    for name in names:
        parts = name.split("-")
        for cut in range(1, len(parts)):
            end = "-".join(parts[cut:])
            if end in names:
                ends.setdefault(end, []).append(name)
    return ends


def is_branch(name: str) -> bool:
    """Whether git allows a name for a branch."""
    return bool(_BRANCH.fullmatch(name))


def _on_kubernetes(
    policy: documents.Policy, name: str, environment: documents.Environment
) -> Iterator[Fault]:
    key = f"environments.{name}"
    if environment.branch is None:
        yield "policy.branch-missing", key, {"environment": name}
    elif not is_branch(environment.branch):
        yield "policy.not-a-branch", f"{key}.branch", {"value": environment.branch}
    # A service's name has at least one letter, so a template that is too long with one is too long for each.
    for base in sorted({policy.services.namespace, *policy.namespaces}):
        shortest = naming.filled(base, "s", name)
        if len(naming.suffixed(policy, shortest, name)) > _LONGEST_NAME:
            yield "policy.namespace-too-long", f"{key}.namespace_suffix", {"namespace": base}
    if environments.is_automated(policy, name) and policy.migrations.phase == "PreSync":
        yield "policy.presync-automated", "migrations.phase", {"environment": name}


def _clusters(policy: documents.Policy) -> Iterator[Fault]:
    """Environments in one cluster must not share namespaces: they would overwrite each other's objects."""
    first: dict[tuple[str | None, str], str] = {}
    # Unless services live in namespaces that are called after the environment.
    apart = "{environment}" in policy.services.namespace and not any(
        space.services for space in policy.namespaces.values()
    )
    for name in environments.on_kubernetes(policy):
        environment = policy.environments[name]
        where = (environments.workload(environment), environment.namespace_suffix)
        if apart:
            continue
        if where in first:
            facts = {"environment": name, "other": first[where]}
            yield "policy.same-namespaces", f"environments.{name}.namespace_suffix", facts
        first[where] = name


def _migrations(policy: documents.Policy) -> Iterator[Fault]:
    wave, secrets = policy.migrations.wave, policy.secrets.wave
    # Pods are in wave 0: they would start before, or together with, what they need of the database.
    if wave >= 0:
        yield "policy.migrations-after-pods", "migrations.wave", {"value": str(wave)}
    if policy.migrations.phase == "Sync" and secrets >= wave:
        facts = {"secrets": str(secrets), "migrations": str(wave)}
        yield "policy.secrets-after-migrations", "migrations.wave", facts
    if not re.fullmatch(r"[a-z0-9-]+/[a-z0-9-]+", policy.secrets.controller):
        yield "policy.not-a-controller", "secrets.controller", {"value": policy.secrets.controller}
    for key, duration in (
        ("migrations.ttl", policy.migrations.ttl),
        ("migrations.deadline", policy.migrations.deadline),
        ("rollout.deadline", policy.rollout.deadline),
        ("rollout.stalled_after", policy.rollout.stalled_after),
    ):
        # A ttl of nothing is fine: Argo CD's hook finalizer keeps the Job until it has seen the result.
        if naming.seconds(duration) <= 0 and key != "migrations.ttl":
            yield "policy.not-a-duration", key, {"value": duration}


def _registries(policy: documents.Policy) -> Iterator[Fault]:
    for host, registry in policy.registries.items():
        for mirror in registry.mirrors:
            if mirror.partition("/")[0] == host:
                yield "policy.mirror-of-itself", f"registries.{host}.mirrors", {"value": mirror}


def _checklists(policy: documents.Policy) -> Iterator[Fault]:
    lists = policy.checklists
    ids: set[str] = set()
    for phase, items in (
        ("before", lists.before),
        ("during", lists.during),
        ("after", lists.after),
    ):
        for index, item in enumerate(items):
            if item.id in ids:
                yield "policy.item-twice", f"checklists.{phase}[{index}].id", {"value": item.id}
            ids.add(item.id)
            yield from _item(item, f"checklists.{phase}[{index}]")
            if item.decided_by == "restore-point" and lists.restore_point is None:
                yield "policy.no-restore-point", f"checklists.{phase}[{index}]", {"value": item.id}
    if lists.restore_point is not None:
        yield from _restore_point(policy, lists.restore_point)


def _restore_point(policy: documents.Policy, point: documents.RestorePoint) -> Iterator[Fault]:
    key = "checklists.restore_point"
    ways = [point.cluster is not None, point.database is not None, bool(point.command)]
    if sum(ways) != 1:
        yield "policy.restore-point-ways", key, {}
    for part, needs, is_there in (
        ("namespace", "cluster", point.cluster is not None),
        ("query", "database", point.database is not None),
    ):
        if getattr(point, part) is not None and not is_there:
            yield "policy.restore-point-part", f"{key}.{part}", {"value": part, "needs": needs}
    if point.command and not _PROGRAM.fullmatch(point.command[0]):
        yield "policy.not-a-program", f"{key}.command", {"value": point.command[0]}
    yield from _timeout(point.timeout, f"{key}.timeout")
    if not naming.seconds(point.within):
        yield "policy.restore-point-within", f"{key}.within", {"value": point.within}
    for name in point.environments:
        if name not in policy.environments:
            facts = {"value": name, "known": ", ".join(policy.environments)}
            yield "policy.restore-point-unknown-environment", f"{key}.environments", facts


def _item(item: documents.Item, key: str) -> Iterator[Fault]:
    ways = [bool(item.command), item.endpoint is not None, item.check is not None]
    if sum(ways) > 1:
        yield "policy.item-decided-twice", key, {"value": item.id}
    if item.command and not _PROGRAM.fullmatch(item.command[0]):
        yield "policy.not-a-program", f"{key}.command", {"value": item.command[0]}
    yield from _timeout(item.timeout, f"{key}.timeout")


def _timeout(timeout: str, key: str) -> Iterator[Fault]:
    if not 0 < naming.seconds(timeout) <= _HOUR:
        yield "policy.item-timeout", key, {"value": timeout}


def _receivers(policy: documents.Policy) -> Iterator[Fault]:
    names: set[str] = set()
    for index, receiver in enumerate(policy.notify):
        key = f"notify[{index}]"
        if receiver.name in names:
            yield "policy.receiver-twice", f"{key}.name", {"value": receiver.name}
        names.add(receiver.name)
        for name in receiver.environments:
            if name not in policy.environments:
                facts = {"value": name, "known": ", ".join(policy.environments)}
                yield "policy.receiver-unknown-environment", f"{key}.environments", facts


def _gateways(policy: documents.Policy) -> Iterator[Fault]:
    gateways = policy.gateways
    if gateways is None:
        return
    for part, names in (("domains", gateways.domains), ("ingress", gateways.ingress)):
        for name in names:
            if name not in environments.on_kubernetes(policy):
                facts = {"value": name, "known": ", ".join(environments.on_kubernetes(policy))}
                yield "policy.gateway-unknown-environment", f"gateways.{part}.{name}", facts
    hosts: dict[tuple[str, str], str] = {}
    for service, route in gateways.routes.items():
        key = f"gateways.routes.{service}"
        if route.host is not None and route.host != "@" and not _HOST.fullmatch(route.host):
            yield "policy.not-a-host", f"{key}.host", {"value": route.host}
        place = (route.host or service, route.path)
        if place in hosts:
            facts = {"service": service, "other": hosts[place], "host": place[0], "path": place[1]}
            yield "policy.route-twice", key, facts
        hosts[place] = service


def _freezes(policy: documents.Policy) -> Iterator[Fault]:
    names: set[str] = set()
    for index, freeze in enumerate(policy.freezes):
        key = f"freezes[{index}]"
        if freeze.name in names:
            yield "policy.freeze-twice", f"{key}.name", {"value": freeze.name}
        names.add(freeze.name)
        for name in freeze.environments:
            if name not in policy.environments:
                facts = {"value": name, "known": ", ".join(policy.environments)}
                yield "policy.freeze-unknown-environment", f"{key}.environments", facts
        from hanbae.policy import calendars  # time zones and schedules take long to import

        fault = calendars.fault(freeze)
        if fault is not None:
            text_id, part, value = fault
            yield text_id, f"{key}.{part}" if part else key, {"value": value}


def _own(policy: documents.Policy) -> Iterator[Fault]:
    ids: set[str] = set()
    for index, rule in policy.own_rules.items():
        if rule.id in ids:
            yield "policy.rule-twice", f"rules[{index}].id", {"value": rule.id}
        ids.add(rule.id)
        if not rule.kinds:
            yield "policy.rule-without-kinds", f"rules[{index}].kinds", {}
        for name in rule.environments:
            if name not in policy.environments:
                names = ", ".join(policy.environments)
                facts = {"value": name, "known": names}
                yield "policy.rule-unknown-environment", f"rules[{index}].environments", facts
