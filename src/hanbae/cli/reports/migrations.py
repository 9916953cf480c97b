"""Pending migrations as text, as Markdown for a review, as SARIF beside the code, and as JUnit for a build server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote
from xml.etree import ElementTree as ET

import click

from hanbae.cli.text import catalogue, escaping, migration_sentences
from hanbae.results import migration_plans

_HOME: Final = "https://github.com/hanbae/hanbae"
_LEVELS: Final = {
    "nothing": "note",
    "rows": "note",
    "ddl": "note",
    "writes": "warning",
    "all": "warning",
}

Line = tuple[str, str, str]
"""What a line begins with, its words, and what its further lines begin with."""


def lines(plans: Sequence[migration_plans.Plan], *, details: bool = True) -> Iterator[Line]:
    """Plans for a terminal.

    Args:
        plans: The plans.
        details: Whether each statement is shown, and not only where the databases stand.
    """
    for plan in plans:
        yield click.style(migration_sentences.title(plan), bold=True), "", ""
        for database in plan.databases:
            for sentence in migration_sentences.standing(database):
                yield "  ", sentence, "    "
            for pending in (database.pending or ()) if details else ():
                yield "    ", migration_sentences.heading(pending), "      "
                yield from _details(pending)


def _details(pending: migration_plans.Pending) -> Iterator[Line]:
    unread = migration_sentences.unread(pending)
    if unread:
        yield "      ", unread, "      "
    for impact in pending.impacts:
        head = f"      {impact.effect.line:>3}  "
        yield head, migration_sentences.effect(impact), " " * 11
        notice = migration_sentences.notice(impact)
        if notice:
            yield " " * 11, notice, " " * 11


def markdown(plans: Sequence[migration_plans.Plan]) -> str:
    """Plans as Markdown: a heading for each service, a list for each database."""
    parts = [f"### {escaping.markdown(catalogue.words('migrations.title'))}"]
    for plan in plans:
        parts.append(f"#### {escaping.markdown(migration_sentences.title(plan))}")
        for database in plan.databases:
            sentences = migration_sentences.standing(database)
            # Two blanks at the end of a line are a hard line break in Markdown.
            parts.append("\n".join(f"**{escaping.markdown(words)}**  " for words in sentences))
            rows = [row for pending in database.pending or () for row in _rows(pending)]
            parts += ["\n".join(rows)] if rows else []
    return "\n\n".join(parts)


def _rows(pending: migration_plans.Pending) -> Iterator[str]:
    yield f"- {escaping.markdown(migration_sentences.heading(pending))}"
    unread = migration_sentences.unread(pending)
    if unread:
        yield f"  - {escaping.markdown(unread)}"
    for impact in pending.impacts:
        sentence = escaping.markdown(_whole(impact))
        yield f"  - {escaping.code(str(impact.effect.line))} {sentence}"


def _whole(impact: migration_plans.Impact) -> str:
    """What a statement does and what others notice of it, in one line."""
    words = [migration_sentences.effect(impact), migration_sentences.notice(impact)]
    return ". ".join(filter(None, words))


def sarif(plans: Sequence[migration_plans.Plan]) -> str:
    """Plans as a SARIF 2.1.0 log: a result for each statement, graver the more it keeps others from."""
    from hanbae import _version

    results = list(_results(plans))
    actions = sorted({result["ruleId"] for result in results})
    driver = {
        "name": "hanbae",
        "version": _version.version,
        "informationUri": _HOME,
        "rules": [{"id": action} for action in actions],
    }
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": [
                    result | {"ruleIndex": actions.index(result["ruleId"])} for result in results
                ],
            }
        ],
    }
    return json.dumps(log, indent=2, ensure_ascii=False)


def _results(plans: Sequence[migration_plans.Plan]) -> Iterator[dict[str, Any]]:
    for plan, database, pending in _every(plans):
        about = {
            "service": escaping.plain(plan.service),
            "environment": escaping.plain(plan.environment),
            "database": escaping.plain(database.name),
        }
        for impact in pending.impacts:
            yield {
                "ruleId": f"migration/{impact.effect.action}",
                "level": "error" if impact.effect.fails else _LEVELS[impact.blocks],
                "message": {"text": escaping.sarif(_whole(impact))},
                "locations": [_location(pending.file, impact.effect.line)],
                "properties": about | {"lock": impact.effect.lock},
            }
        unread = migration_sentences.unread(pending)
        if unread:
            yield {
                "ruleId": "migration/unread",
                "level": "warning",
                "message": {"text": escaping.sarif(unread)},
                "locations": [_location(pending.file, 1)],
                "properties": about,
            }


def _location(file: str, line: int) -> dict[str, Any]:
    uri = quote(escaping.as_bytes(file), safe="/")
    artifact = {"uri": uri, "uriBaseId": "%SRCROOT%"}
    return {"physicalLocation": {"artifactLocation": artifact, "region": {"startLine": line}}}


def junit(plans: Sequence[migration_plans.Plan]) -> str:
    """Plans as JUnit XML: a suite for each database, a case for each pending file and for where the database stands."""
    root = ET.Element("testsuites", name="hanbae migrations")
    for plan in plans:
        for database in plan.databases:
            _suite(root, plan, database)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}'


def _suite(
    root: ET.Element, plan: migration_plans.Plan, database: migration_plans.Database
) -> None:
    name = escaping.plain(f"{plan.service} {plan.environment} {database.name}")
    suite = ET.SubElement(root, "testsuite", name=name)
    failures = skipped = 0
    standing = list(migration_sentences.standing(database))
    case = ET.SubElement(suite, "testcase", name=standing[0], classname=name)
    if database.is_faulty:
        failures += 1
        # Everything that makes a database faulty has a sentence after the first, so there are two.
        failure = ET.SubElement(case, "failure", type="standing", message=standing[1])
        failure.text = "\n".join(standing)
    elif database.pending is None:
        skipped += 1
        ET.SubElement(case, "skipped", message=standing[0])
    for pending in database.pending or ():
        own = ET.SubElement(
            suite,
            "testcase",
            name=migration_sentences.heading(pending),
            classname=escaping.plain(pending.file),
        )
        sentences = [words.strip() for _, words, _ in _details(pending)]
        bad = next((i for i in pending.impacts if i.effect.fails), None)
        if bad is not None:
            failures += 1
            message = migration_sentences.notice(bad)
            ET.SubElement(own, "failure", type="fails", message=message).text = "\n".join(sentences)
        else:
            ET.SubElement(own, "system-out").text = "\n".join(sentences)
    count = 1 + len(database.pending or ())
    suite.attrib |= {"tests": str(count), "failures": str(failures)}
    suite.attrib |= {"errors": "0", "skipped": str(skipped)}


def _every(
    plans: Sequence[migration_plans.Plan],
) -> Iterator[tuple[migration_plans.Plan, migration_plans.Database, migration_plans.Pending]]:
    for plan in plans:
        for database in plan.databases:
            for pending in database.pending or ():
                yield plan, database, pending
