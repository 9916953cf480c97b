"""The record of a time as evidence for an audit: as Markdown to read, as CSV to sort and count.

Both are for people who open them in a program of their own: a cell of the CSV that such a program would take for a
formula begins with an apostrophe, and it begins with the mark by which Excel knows UTF-8.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar

from hanbae import wording
from hanbae.cli.text import catalogue, escaping
from hanbae.results import evidence

_T = TypeVar("_T")
# Characters with which spreadsheets begin a formula (OWASP, "CSV Injection").
_BEGINS_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def _moment(moment: datetime | None) -> list[str]:
    return [moment.astimezone().isoformat(" ", "seconds")] if moment else []


def _outcome(record: evidence.Record) -> list[str]:
    return [catalogue.words(f"deploy.outcome-{record.outcome}")]


def _checklist(record: evidence.Record) -> list[str]:
    return [f"{record.passed}/{record.items}"] if record.items else []


def _why(record: evidence.Record) -> list[str]:
    return [escaping.sentence(record.why)] if record.why else []


def _taken_back(record: evidence.Record) -> list[str]:
    return [catalogue.words("evidence.taken-back")] if record.taken_back else []


CELLS: Final[dict[str, Callable[[evidence.Record], Iterable[str]]]] = {
    "deployment": lambda record: [record.deployment],
    "environment": lambda record: [record.environment],
    "service": lambda record: [record.service],
    "opened": lambda record: _moment(record.opened),
    "closed": lambda record: _moment(record.closed),
    "by": lambda record: [record.by],
    "revision": lambda record: [record.revision[:12]],
    "subject": lambda record: [record.subject],
    "authors": lambda record: record.authors,
    "manifests": lambda record: [record.manifests[:12]],
    "options": lambda record: record.options,
    "images": lambda record: record.images,
    "objects": lambda record: [str(record.objects)],
    "migrations": lambda record: record.migrations,
    "before": lambda record: record.before,
    "checklist": _checklist,
    "attested": lambda record: record.attested,
    "waived": lambda record: record.waived,
    "outcome": _outcome,
    "why": _why,
    "causes": lambda record: [escaping.sentence(cause) for cause in record.causes],
    "taken-back": _taken_back,
    "restored": lambda record: _moment(record.restored),
}
"""Column → what stands in it of a deployment."""

PLACES: Final[dict[str, Callable[[evidence.Environment], Iterable[str]]]] = {
    "environment": lambda place: [place.name],
    "branch": lambda place: [place.branch],
    "context": lambda place: [place.context],
    "namespaces": lambda place: place.namespaces,
    "deployments": lambda place: [str(place.deployments)],
}
"""Column → what stands in it of an environment."""

_COLUMNS: Final[dict[evidence.Topic, tuple[str, ...]]] = {
    "duties": ("deployment", "opened", "service", "by", "authors", "attested", "waived"),
    "environments": ("deployment", "opened", "service", "revision", "before"),
    "transfer": (
        *("deployment", "opened", "service", "revision", "manifests", "options", "images"),
        *("migrations", "before", "checklist", "outcome"),
    ),
    "changes": (
        *("deployment", "opened", "environment", "service", "revision", "subject", "authors", "by"),
        *("objects", "migrations", "waived", "outcome"),
    ),
    "failures": (
        *("deployment", "opened", "closed", "environment", "service", "why", "causes"),
        *("taken-back", "restored"),
    ),
}


def markdown(whole: evidence.Evidence) -> str:
    """The evidence as a document: a section for each control, a table for each of its topics."""
    facts = {
        "since": whole.since.astimezone().strftime("%Y-%m-%d"),
        "until": whole.until.astimezone().isoformat(" ", "seconds"),
        "made": whole.made.astimezone().isoformat(" ", "seconds"),
        "history": whole.history,
        "count": str(len(whole.records)),
    }
    parts = [f"# {catalogue.words(f'evidence.title-{whole.framework}')}"]
    parts.append(escaping.markdown(catalogue.sentence(wording.Text("evidence.made", facts))))
    parts += _missing(whole)
    for control in whole.controls:
        parts.append(f"## {escaping.markdown(_title(control))}")
        for topic in control.topics:
            parts.append(escaping.markdown(catalogue.words(f"evidence.topic-{topic}")))
            if topic == "environments":
                parts.append(_drawn(PLACES, whole.environments))
            columns = {name: CELLS[name] for name in _COLUMNS[topic]}
            parts.append(_drawn(columns, list(_of_topic(whole, topic))))
    return "\n\n".join(parts)


def _missing(whole: evidence.Evidence) -> Iterator[str]:
    """What is not in the tables, because it cannot be read."""
    if not whole.unreadable:
        return
    facts = {"count": str(len(whole.unreadable))}
    yield escaping.markdown(catalogue.sentence(wording.Text("evidence.unreadable", facts)))
    yield "\n".join(
        f"- {escaping.markdown(catalogue.sentence(record.why))}" for record in whole.unreadable
    )


def table(whole: evidence.Evidence) -> str:
    """The evidence as CSV: a row for each control and deployment, all of them with the same columns."""
    names = list(dict.fromkeys(("control", "topic", *CELLS, *PLACES)))
    stream = io.StringIO()
    stream.write("\ufeff")
    writer = csv.DictWriter(stream, names, restval="", lineterminator="\r\n")
    writer.writerow({name: catalogue.words(f"evidence.column-{name}") for name in names})
    for control in whole.controls:
        for topic in control.topics:
            head = {"control": _title(control), "topic": catalogue.words(f"evidence.topic-{topic}")}
            if topic == "environments":
                writer.writerows(head | _row(PLACES, place) for place in whole.environments)
            writer.writerows(head | _row(CELLS, record) for record in _of_topic(whole, topic))
    outcome = catalogue.words("evidence.outcome-unreadable")
    for unread in whole.unreadable:
        why = _cell(escaping.sentence(unread.why))
        writer.writerow({"deployment": unread.deployment, "outcome": outcome, "why": why})
    return stream.getvalue()


def _title(control: evidence.Control) -> str:
    number = control.number.lower().replace(".", "-")
    return f"{control.number} {catalogue.words(f'evidence.control-{number}')}"


def _of_topic(whole: evidence.Evidence, topic: evidence.Topic) -> Iterator[evidence.Record]:
    """The deployments that say something about a topic."""
    last = {place.name for place in whole.environments if place.is_last}
    for record in whole.records:
        has_failed = record.outcome in {"failed", "unknown"} or record.taken_back
        has_entered = record.environment in last and record.outcome != "refused"
        if topic == "changes" or (has_failed if topic == "failures" else has_entered):
            yield record


def _drawn(columns: Mapping[str, Callable[[_T], Iterable[str]]], rows: Sequence[_T]) -> str:
    """A table in Markdown, or a sentence where it would have no rows."""
    if not rows:
        return escaping.markdown(catalogue.words("evidence.nothing"))
    lines = [[catalogue.words(f"evidence.column-{name}") for name in columns]]
    lines.append(["---"] * len(columns))
    for row in rows:
        cells = [map(escaping.markdown, filter(None, cell(row))) for cell in columns.values()]
        lines.append(["<br>".join(cell) for cell in cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(columns: Mapping[str, Callable[[_T], Iterable[str]]], row: _T) -> dict[str, str]:
    return {
        name: _cell("; ".join(map(escaping.plain, filter(None, cell(row)))))
        for name, cell in columns.items()
    }


def _cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_BEGINS_FORMULA) else text
