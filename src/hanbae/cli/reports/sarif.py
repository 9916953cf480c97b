"""Findings as SARIF 2.1.0, for services that show and track them beside the code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from hanbae.cli import reports
from hanbae.cli.text import escaping
from hanbae.results import findings, fingerprints

if TYPE_CHECKING:
    from hanbae.actions import check

_LEVELS: Final = {"error": "error", "warning": "warning", "notice": "note"}
_HOME: Final = "https://github.com/hanbae/hanbae"


def render(report: reports.Report) -> str:
    """The log, with one run."""
    from hanbae import _version

    result = report.result
    rules = result.about
    index = {code: number for number, code in enumerate(rules)}
    rows: list[tuple[findings.Finding, findings.Accepted | None]] = [
        *((finding, None) for finding in result.findings),
        *((acceptance.finding, acceptance) for acceptance in result.accepted),
    ]
    marks = fingerprints.numbered(finding for finding, _ in rows)
    driver = {
        "name": "hanbae",
        "version": _version.version,
        "informationUri": _HOME,
        "rules": [_rule(code, rule) for code, rule in rules.items()],
    }
    results = [
        _result(finding, accepted, mark, index[finding.code], result.folder)
        for (finding, accepted), mark in zip(rows, marks, strict=True)
    ]
    # Columns are counted in characters of Python strings, which are code points.
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _rule(code: str, rule: check.About) -> dict[str, Any]:
    title, why, fix = (escaping.general(text) for text in (rule.title, rule.why, rule.fix))
    entry = {
        "id": escaping.plain(code),
        "shortDescription": {"text": escaping.sarif(title)},
        "fullDescription": {"text": escaping.sarif(why)},
        "help": {
            "text": escaping.sarif(f"{why} {fix}"),
            "markdown": f"{escaping.markdown(why)}\n\n{escaping.markdown(fix)}",
        },
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": [rule.family]},
    }
    if rule.source.startswith("https://"):
        entry["helpUri"] = rule.source
    return entry


def _result(
    finding: findings.Finding,
    accepted: findings.Accepted | None,
    mark: str,
    index: int,
    folder: str,
) -> dict[str, Any]:
    properties: dict[str, Any] = {"precision": finding.precision}
    if finding.service:
        properties["service"] = escaping.plain(finding.service)
    if finding.environments:
        properties["environments"] = [escaping.plain(name) for name in finding.environments]
    entry = {
        "ruleId": escaping.plain(finding.code),
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": escaping.sarif(_message(finding))},
        "locations": [_location(finding, folder)],
        "partialFingerprints": {"hanbae/v1": mark},
        "properties": properties,
    }
    if accepted is not None:
        kind = "inSource" if accepted.by == "ignore" else "external"
        suppression = {"kind": kind, "status": "accepted"}
        if accepted.reason:
            suppression["justification"] = escaping.plain(accepted.reason)
        entry["suppressions"] = [suppression]
    return entry


def _message(finding: findings.Finding) -> str:
    fix = f" {escaping.sentence(finding.fix)}" if finding.fix is not None else ""
    return escaping.sentence(finding.text) + fix


def _location(finding: findings.Finding, folder: str) -> dict[str, Any]:
    place = finding.place
    uri = quote(escaping.as_bytes(folder + place.file), safe="/")
    physical: dict[str, Any] = {"artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"}}
    if place.line:
        physical["region"] = {"startLine": place.line}
        if place.column:
            physical["region"]["startColumn"] = place.column
    location: dict[str, Any] = {"physicalLocation": physical}
    if finding.object is not None:
        label = escaping.plain(f"{finding.object.kind}/{finding.object.name}")
        location["logicalLocations"] = [{"fullyQualifiedName": label, "kind": "resource"}]
    return location
