"""A checklist with its evidence: as text, as Markdown for a review or an audit, and as JUnit XML for a build server."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree as ET

import click
from msgspec import Struct

from hanbae import wording
from hanbae.cli.text import catalogue, escaping
from hanbae.results import checklists

_MARKS: Final[dict[checklists.Outcome, tuple[str, str]]] = {
    "passed": ("✔", "green"),
    "failed": ("✘", "red"),
    "undecided": ("?", "yellow"),
    "waived": ("~", "yellow"),
    "attested": ("✔", "green"),
}
"""Outcome → mark and colour."""


class Line(Struct, frozen=True):
    """One line of the text.

    Attributes:
        head: What it begins with.
        words: The line.
        indent: What its further lines begin with.
        as_written: Whether it must not be wrapped: a log's, or a command.
    """

    head: str
    words: str
    indent: str = ""
    as_written: bool = False


def lines(checklist: checklists.Checklist) -> Iterator[Line]:
    """The checklist for a terminal."""
    for phase in checklist.phases:
        yield Line("", catalogue.words(f"checklist.phase-{phase.phase}"))
        for decision in phase.decisions:
            mark, color = _MARKS[decision.outcome]
            outcome = catalogue.words(f"checklist.outcome-{decision.outcome}")
            title = f"{escaping.plain(title_of(decision))} · {outcome}"
            yield Line(f"  {click.style(mark, fg=color)} ", title, "    ")
            for text in decision.evidence:
                yield Line("      ", escaping.sentence(text), "      ")
                for logged in text.facts.get("log", "").splitlines():
                    yield Line("      │ ", escaping.line(logged), as_written=True)
            yield from (Line("      ", words, "      ") for words in _person(decision))
            if decision.command:
                command = escaping.line(shlex.join(decision.command))
                yield Line("      → ", command, as_written=True)


def title_of(decision: checklists.Decision) -> str:
    """The policy's sentence, or hanbae's own where the policy has none."""
    return decision.text or catalogue.words(f"checklist.item-{decision.item}")


def _person(decision: checklists.Decision) -> Iterator[str]:
    """Who waived or attested it, and why."""
    by = decision.by
    if by and decision.identity:
        by = catalogue.sentence(wording.Text(f"checklist.by-{decision.identity}", {"by": by}))
    until = decision.until
    if until:
        until = catalogue.sentence(wording.Text("checklist.until", {"until": until}))
    words = " · ".join(filter(None, (by, decision.why, until)))
    if words:
        yield escaping.plain(words)


def _shown(decision: checklists.Decision) -> list[str]:
    """What was seen, in plain lines."""
    rows = [escaping.sentence(text) for text in decision.evidence]
    rows += [
        escaping.plain(logged)
        for text in decision.evidence
        for logged in text.facts.get("log", "").splitlines()
    ]
    rows += _person(decision)
    if decision.command:
        rows.append(escaping.plain(shlex.join(decision.command)))
    return rows


def markdown(checklist: checklists.Checklist) -> str:
    """The checklist as Markdown: task lists, each item with its evidence below it."""
    about = (checklist.deployment, f"{checklist.service} → {checklist.environment}")
    parts = [f"### {escaping.markdown(' · '.join(filter(None, about)))}"]
    parts.append(escaping.code(checklist.revision))
    for phase in checklist.phases:
        parts.append(f"#### {catalogue.words(f'checklist.phase-{phase.phase}')}")
        rows = []
        for decision in phase.decisions:
            box = "x" if decision.outcome in {"passed", "attested"} else " "
            outcome = catalogue.words(f"checklist.outcome-{decision.outcome}")
            title = escaping.markdown(title_of(decision))
            rows.append(f"- [{box}] {title} — **{outcome}**")
            rows += [f"  - {escaping.markdown(line)}" for line in _shown(decision)]
        parts.append("\n".join(rows))
    return "\n\n".join(parts)


def junit(checklist: checklists.Checklist) -> str:
    """The checklist as JUnit XML: a suite for each phase, a case for each item."""
    name = escaping.plain(f"{checklist.service} {checklist.environment}")
    root = ET.Element("testsuites", name=f"hanbae checklist {name}")
    for phase in checklist.phases:
        outcomes = [decision.outcome for decision in phase.decisions]
        suite = ET.SubElement(
            root,
            "testsuite",
            name=f"{name} {phase.phase}",
            tests=str(len(outcomes)),
            failures=str(outcomes.count("failed")),
            errors="0",
            skipped=str(outcomes.count("undecided") + outcomes.count("waived")),
        )
        for decision in phase.decisions:
            case = ET.SubElement(
                suite, "testcase", name=escaping.plain(title_of(decision)), classname=decision.item
            )
            text = "\n".join(_shown(decision))
            first = text.partition("\n")[0]
            if decision.outcome == "failed":
                ET.SubElement(case, "failure", type=decision.check, message=first).text = text
            elif decision.outcome in {"undecided", "waived"}:
                ET.SubElement(case, "skipped", message=f"{decision.outcome}: {first}")
            else:
                ET.SubElement(case, "system-out").text = text
    ET.indent(root)
    document = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{document}'
