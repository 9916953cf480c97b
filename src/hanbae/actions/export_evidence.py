"""``hanbae history export``: the record of a time as evidence for an audit's controls."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from hanbae import workspaces
from hanbae.actions import measure_delivery
from hanbae.history import measuring
from hanbae.policy import environments, naming
from hanbae.results import checklists, deployments, evidence

CONTROLS: Final[Mapping[evidence.Framework, tuple[evidence.Control, ...]]] = {
    "isms-p": (
        evidence.Control("2.2.2", ("duties",)),
        evidence.Control("2.8.3", ("environments",)),
        evidence.Control("2.8.6", ("transfer",)),
        evidence.Control("2.9.1", ("changes",)),
        evidence.Control("2.9.2", ("failures",)),
    ),
    "soc2": (
        evidence.Control("CC6.3", ("duties",)),
        evidence.Control("CC7.4", ("failures",)),
        evidence.Control("CC8.1", ("environments", "transfer", "changes")),
    ),
}
"""Framework → its controls for which a record of deployments is evidence."""

_ROLLBACK_HOURS: Final = 24


def export(
    space: workspaces.Workspace,
    framework: evidence.Framework,
    *,
    since: datetime,
    until: datetime,
) -> evidence.Evidence:
    """The record of a time.

    Args:
        space: The workspace.
        framework: Whose controls.
        since: The time's beginning, with a time zone.
        until: Its end, which is not in it, with a time zone.
    """
    # From before the time as well: what content an environment had, and where it was proven, is
    # looked up there.
    listed = space.store.opened(since=since - measure_delivery.BEFORE, until=until)
    recorded = listed.deployments
    lookup = measure_delivery.lookup(space)
    policy, order = space.policy, environments.on_kubernetes(space.policy)
    in_time = [entry for entry in recorded if entry.opened is not None and entry.opened >= since]
    counted = Counter(entry.environment for entry in in_time)
    arranging = _Arranging(space, recorded, lookup, order)
    return evidence.Evidence(
        framework=framework,
        since=since,
        until=until,
        made=space.clock(),
        history=space.store.place.file,
        controls=CONTROLS[framework],
        environments=tuple(
            evidence.Environment(
                name,
                policy.environments[name].branch or "",
                environments.workload(policy.environments[name]) or "",
                tuple(naming.namespaces_of_services(policy, name)),
                counted[name],
                name == order[-1],
            )
            for name in order
        ),
        records=tuple(map(arranging.record, in_time)),
        unreadable=listed.unreadable,
    )


class _Arranging:
    """Looks each deployment up among those around it."""

    def __init__(
        self,
        space: workspaces.Workspace,
        recorded: Sequence[deployments.Deployment],
        lookup: measuring.Lookup,
        order: Sequence[str],
    ) -> None:
        self._space = space
        self._content: Callable[[str, str], str] = lookup.content
        self._order = order
        self._by_place: dict[tuple[str, str], list[deployments.Deployment]] = defaultdict(list)
        for entry in recorded:
            # What was refused has changed nothing, so it is no deployment before or after another
            # one.
            if entry.outcome != "refused":
                self._by_place[entry.service, entry.environment].append(entry)
        opened = [entry.opened for entry in recorded if entry.opened is not None]
        failures = (
            measuring.measured(
                recorded,
                lookup,
                environments=order,
                since=min(opened),
                until=space.clock(),
                rollback_hours=_ROLLBACK_HOURS,
            ).failures
            if opened
            else ()
        )
        self._taking_back = {
            failure.deployment for failure in failures if failure.how == "rolled-back"
        }

    def record(self, entry: deployments.Deployment) -> evidence.Record:
        """One deployment as an auditor asks about it."""
        commits = self._space.checkout.between(
            entry.revision,
            self._former(entry),
            measure_delivery.folder(self._space, entry.service),
        )
        decisions = [decision for phase in entry.checklist for decision in phase.decisions]
        plan = self._space.store.plan(entry.id)
        opened = entry.opened or self._space.clock()
        return evidence.Record(
            deployment=entry.id,
            service=entry.service,
            environment=entry.environment,
            revision=entry.revision,
            subject=commits[0].subject if commits else "",
            authors=tuple(dict.fromkeys(commit.author for commit in commits)),
            by=entry.by,
            opened=opened,
            closed=entry.closed,
            outcome=entry.outcome,
            why=entry.why,
            manifests=entry.manifests,
            options=entry.synced_with,
            images=entry.images,
            objects=sum(change.outcome not in {"unchanged", "unknown"} for change in plan.forecast),
            migrations=tuple(
                f"{database.database}: {name}"
                for database in entry.migrations
                for name in database.names or map(str, database.applied)
            ),
            passed=sum(decision.outcome in {"passed", "attested"} for decision in decisions),
            items=len(decisions),
            attested=tuple(map(_stated, _with(decisions, "attested"))),
            waived=tuple(map(_stated, _with(decisions, "waived"))),
            before=tuple(self._before(entry)),
            causes=tuple(diagnosed.cause for diagnosed in entry.diagnoses),
            taken_back=entry.id in self._taking_back,
            restored=self._restored(entry),
        )

    def _former(self, entry: deployments.Deployment) -> str:
        """The commit of the last deployment before that succeeded there; empty where there is none."""
        earlier = self._by_place[entry.service, entry.environment]
        commits = [
            other.revision
            for other in earlier
            if other.outcome == "succeeded"
            and other.revision != entry.revision
            and _is_earlier(other, entry)
        ]
        return commits[-1] if commits else ""

    def _before(self, entry: deployments.Deployment) -> list[str]:
        """The last deployment of the same content that succeeded in each environment before."""
        content = self._content(entry.service, entry.revision)
        proven: list[str] = []
        if entry.environment not in self._order:
            return proven
        for name in self._order[: self._order.index(entry.environment)]:
            same = [
                other
                for other in self._by_place[entry.service, name]
                if other.outcome == "succeeded"
                and _is_earlier(other, entry)
                and (
                    other.revision == entry.revision
                    or (content and content == self._content(other.service, other.revision))
                )
            ]
            if same:
                proven.append(f"{name} {same[-1].id}")
        return proven

    def _restored(self, entry: deployments.Deployment) -> datetime | None:
        if entry.outcome != "failed":
            return None
        later = (
            other.closed
            for other in self._by_place[entry.service, entry.environment]
            if other.outcome == "succeeded" and _is_earlier(entry, other)
        )
        return next(later, None)


def _is_earlier(first: deployments.Deployment, second: deployments.Deployment) -> bool:
    return (
        first.opened is not None
        and second.opened is not None
        and (first.opened, first.id) < (second.opened, second.id)
    )


def _with(
    decisions: Sequence[checklists.Decision], outcome: checklists.Outcome
) -> list[checklists.Decision]:
    return [decision for decision in decisions if decision.outcome == outcome]


def _stated(decision: checklists.Decision) -> str:
    """Who said what of an item, why, and until when."""
    parts = (f"{decision.item}: {decision.by}", decision.why, decision.until)
    return ", ".join(part for part in parts if part)
