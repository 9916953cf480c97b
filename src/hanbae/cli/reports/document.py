"""The result as JSON: texts with id and facts for programs, and worded for people."""

from __future__ import annotations

from typing import Any

import msgspec

from hanbae.cli import outputs, reports
from hanbae.cli.text import escaping
from hanbae.results import findings, fingerprints


def render(report: reports.Report) -> str:
    """The document, indented."""
    result = report.result
    accepted = [acceptance.finding for acceptance in result.accepted]
    marks = fingerprints.numbered([*result.findings, *accepted])
    document: dict[str, Any] = {
        "format": outputs.FORMAT,
        "failed": report.failed,
        "services": result.services,
        "environments": result.environments,
        "rules": result.rules,
        "summary": {
            **{severity: report.count(severity) for severity in reports.SEVERITIES},
            "ignored": sum(acceptance.by == "ignore" for acceptance in result.accepted),
            "baseline": sum(acceptance.by == "baseline" for acceptance in result.accepted),
            "policy": sum(acceptance.by == "policy" for acceptance in result.accepted),
        },
        "folder": result.folder,
        "findings": [
            # Not strict: `marks` goes on with those of the accepted findings.
            _finding(finding, mark)
            for finding, mark in zip(result.findings, marks, strict=False)
        ],
        "accepted": [
            msgspec.to_builtins(acceptance) | {"finding": _finding(acceptance.finding, mark)}
            for acceptance, mark in zip(result.accepted, marks[len(result.findings) :], strict=True)
        ],
        "unprepared": msgspec.to_builtins(result.unprepared),
    }
    if result.searched is not None:
        document["searched"] = msgspec.to_builtins(result.searched)
    try:
        encoded = msgspec.json.encode(document)
    except UnicodeEncodeError:
        encoded = msgspec.json.encode(_whole(document))
    return msgspec.json.format(encoded, indent=2).decode() + "\n"


def _finding(finding: findings.Finding, mark: str) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(finding)
    document["precision"] = finding.precision
    document["message"] = escaping.sentence(finding.text)
    document["fingerprint"] = mark
    if finding.fix is not None:
        document["fix_message"] = escaping.sentence(finding.fix)
    return document


def _whole(value: Any) -> Any:
    """The same with text that UTF-8 can hold: a file's name may be any bytes."""
    if isinstance(value, str):
        return escaping.as_bytes(value).decode("utf-8", "replace")
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list | tuple) else value
