"""What a plan shows of one service in one environment, the same for a terminal and for a review."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from hanbae import subjects, wording
from hanbae.cli.text import catalogue
from hanbae.results import plans, previews

_VERSION: Final = 'labels["app.kubernetes.io/version"]'
"""How the path of the label ends that every object of a release carries, and that follows from the image."""


class Section(Struct, frozen=True):
    """One service in one environment.

    Attributes:
        title: Which.
        forecast: What becomes of each object.
        images: Images that become others.
        migrations: What becomes of each database.
        hooks: Hooks, where no order of waves is known.
        waves: What Argo CD does, in its order.
        upgrade: What Helm is asked for, where Helm deploys.
        estimate: How long it may take, where that is known.
        guards: What a saved plan promises, where it was saved.
        notes: Sentences below it.
        refusals: Why a deployment of it would not begin.
        changes: Whether anything would become another.
    """

    title: str
    forecast: tuple[plans.Change, ...]
    images: tuple[previews.Image, ...] = ()
    migrations: tuple[previews.Migrations, ...] = ()
    hooks: tuple[subjects.Ref, ...] = ()
    waves: tuple[previews.Wave, ...] = ()
    upgrade: plans.Upgrade | None = None
    estimate: previews.Estimate | None = None
    guards: tuple[plans.Guard, ...] = ()
    notes: tuple[wording.Text, ...] = ()
    refusals: tuple[wording.Text, ...] = ()

    changes: bool = True

    def of(self, outcome: str) -> list[plans.Change]:
        """The changes of one outcome."""
        return [change for change in self.forecast if change.outcome == outcome]

    def listed(self, outcome: str) -> list[plans.Change]:
        """The changes of one outcome, without objects of which only the version label changes."""
        return [change for change in self.of(outcome) if not _is_relabelled(change)]

    @property
    def relabelled(self) -> list[plans.Change]:
        """The objects of which nothing but the label with the version changes."""
        return [change for change in self.forecast if _is_relabelled(change)]


def fields(change: plans.Change) -> list[plans.Field]:
    """The fields of a change that say something: the label with the version follows from the image."""
    return [field for field in change.fields if not field.path.endswith(_VERSION)]


def foreign(managers: Sequence[str]) -> list[str]:
    """Who manages a field in the cluster besides Argo CD, whose fields they are."""
    return [manager for manager in managers if not manager.startswith("argocd")]


def _is_relabelled(change: plans.Change) -> bool:
    return change.outcome == "changed" and bool(change.fields) and not fields(change)


def of_preview(preview: previews.Preview, *, promises: bool = False) -> Section:
    """The section of a live plan; with what a saved plan promises, where that is wanted."""
    plan = preview.plan
    return Section(
        f"{plan.service} → {plan.environment}  {preview.revision[:12]}",
        plan.forecast,
        migrations=preview.migrations,
        waves=preview.waves,
        upgrade=next(
            (step.does for step in plan.steps if isinstance(step.does, plans.Upgrade)), None
        ),
        estimate=preview.estimate,
        guards=plan.guards if promises else (),
        notes=tuple(note for note in preview.notes if note not in preview.refusals),
        refusals=preview.refusals,
        changes=preview.changes,
    )


def of_compared(compared: previews.Compared) -> Section:
    """The section of a comparison of two revisions."""
    return Section(
        f"{compared.service} → {compared.environment}",
        compared.forecast,
        compared.images,
        compared.migrations,
        compared.hooks,
        notes=_faults(compared),
        changes=compared.changes,
    )


def _faults(compared: previews.Compared) -> tuple[wording.Text, ...]:
    if compared.fault is None:
        return ()
    place = {"place": str(compared.place or "-")}
    return wording.Text(f"plan.fault-{compared.faulty}", place), compared.fault


def headline(section: Section) -> str:
    """What comes of it, in one line."""
    if not section.changes:
        return catalogue.words("plan.nothing")
    return counts(section.forecast)


def counts(forecast: Sequence[plans.Change]) -> str:
    """How many objects are new, changed, deleted and unchanged."""
    number = dict.fromkeys(("created", "changed", "deleted", "unchanged", "unknown"), 0)
    for change in forecast:
        number[change.outcome] += 1
    facts = {name: str(count) for name, count in number.items()}
    counted = catalogue.sentence(wording.Text("plan.counts", facts))
    if number["unknown"]:
        counted += catalogue.sentence(wording.Text("plan.counts-unknown", facts))
    return counted


def remarks(change: plans.Change) -> str:
    """What else is to be known of a change: that it is refused, that pods restart, that an object stays."""
    words = []
    if change.refused:
        facts = {"fields": ", ".join(change.refused)}
        words.append(catalogue.sentence(wording.Text("plan.refused", facts)))
    elif change.restarts:
        words.append(catalogue.words("plan.restarts"))
    if change.kept:
        words.append(catalogue.words("plan.kept"))
    return f" ({', '.join(words)})" if words else ""


def hidden(field: plans.Field) -> str:
    """What is said instead of a value that is not shown."""
    outcome = "changed"
    if field.old is None:
        outcome = "added"
    elif field.new is None:
        outcome = "removed"
    return catalogue.words(f"plan.{outcome}-{field.hidden}")


def migrations(section: Section) -> Iterator[str]:
    """A sentence for each thing that becomes of a database."""
    for database in section.migrations:
        facts = {
            "database": database.database,
            "files": str(database.files),
            "at": str(database.at or 0),
        }
        if database.pending is None:
            has_failed = database.why_unknown == "failed"
            yield _sentence(
                "plan.migrations-unknown-failed" if has_failed else "plan.migrations-unknown-new",
                facts,
            )
        elif database.pending:
            names = ", ".join(database.names) or listed(database.pending)
            yield _sentence("plan.migrations-pending", facts | {"files": names})
        elif not database.missing and not database.edited:
            yield _sentence("plan.migrations-none", facts)
        if database.missing:
            yield _sentence(
                "plan.migrations-missing", facts | {"versions": listed(database.missing)}
            )
        if database.edited:
            yield _sentence("plan.migrations-edited", facts | {"versions": listed(database.edited)})


def upgrade(does: plans.Upgrade) -> Iterator[str]:
    """What Helm's deployment does, in its order."""
    if does.first:
        yield _sentence("plan.helm-first", {"objects": ", ".join(map(str, does.first))})
    for hook in does.before:
        yield _sentence("plan.helm-hook", {"object": str(hook)})
    yield _sentence("plan.helm-upgrade", {"release": does.release})
    for hook in does.later:
        yield _sentence("plan.helm-hook", {"object": str(hook)})


def timing(section: Section) -> str | None:
    """How long it may take; None where nobody knows anything of it."""
    estimate = section.estimate
    if estimate is None:
        return None
    facts = {"gaps": f"{estimate.gaps:g}", "last": f"{estimate.last or 0:.0f}"}
    if section.upgrade is not None:
        return _sentence("plan.estimate-helm", facts) if estimate.last else None
    return _sentence("plan.estimate-last" if estimate.last else "plan.estimate", facts)


def listed(versions: Sequence[int]) -> str:
    """Versions with commas."""
    return ", ".join(map(str, versions))


def name(ref: subjects.Ref) -> str:
    """An object without what a terminal would obey."""
    return catalogue.printable(str(ref))


def _sentence(text_id: str, facts: dict[str, str]) -> str:
    return catalogue.sentence(wording.Text(text_id, facts))
