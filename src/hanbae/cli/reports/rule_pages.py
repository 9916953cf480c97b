"""Rules for people: one in full with its examples, or all of them as a list; on a terminal and in the reference."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any, Final

from hanbae.cli.reports import finding_lines
from hanbae.cli.text import catalogue, escaping, wrapping
from hanbae.rules import casebook, rulebook

_LONGEST: Final = 24
"""Lines of an example that are shown of a whole file."""


def explained(rule: rulebook.Rule, width: int) -> str:
    """A rule in full."""
    head = f"{rule.code}  {severity(rule)}  "
    lines = [*finding_lines.wrapped(text(rule, "title"), width, head, " " * 8), ""]
    lines += finding_lines.wrapped(text(rule, "why"), width, "", "")
    lines += [
        "",
        *finding_lines.wrapped(text(rule, "fix"), width, _labelled("check.label-fix"), "  "),
    ]
    if rule.fixable:
        lines += finding_lines.wrapped(catalogue.words("check.fixable"), width, "", "")
    lines += wrapping.wrap(rule.source, width, head=_labelled("check.label-source"), indent="  ")
    for heading, example in examples(rule):
        lines += ["", f"{heading}:", ""]
        lines += [f"  {line}".rstrip() for line in example]
    return "\n".join(lines) + "\n"


def examples(rule: rulebook.Rule) -> Iterator[tuple[str, list[str]]]:
    """The failing and the passing example, each under a heading, as differences to the example repository."""
    case = casebook.case(rule.code)
    if case.fails:
        yield catalogue.words(f"check.example-fails-{case.where}"), _differences(case.fails)
    if case.passes:
        yield catalogue.words(f"check.example-passes-{case.where}"), _differences(case.passes)


def _differences(changes: tuple[casebook.Change, ...]) -> list[str]:
    lines: list[str] = []
    for change in changes:
        lines.append(f"--- {change.file}")
        if change.remove:
            lines.append("(removed)")
        for before, after in (change.replace or {}).items():
            lines += [f"-{line}" for line in _dedented(before)]
            lines += [f"+{line}" for line in _dedented(after)]
        lines += [f"+{line}" for line in _clipped(change.text or change.append or "")]
    return lines


def _dedented(part: str) -> list[str]:
    return part.strip("\n").split("\n") if part else []


def _clipped(whole: str) -> list[str]:
    lines = textwrap.dedent(whole).rstrip("\n").split("\n") if whole else []
    return lines if len(lines) <= _LONGEST else [*lines[: _LONGEST - 1], "…"]


def listed(width: int) -> str:
    """All rules, one a line."""
    lines: list[str] = []
    for rule in rulebook.rules().values():
        mark = catalogue.words("check.mark-fixable") if rule.fixable else ""
        head = f"{rule.code}  {severity(rule)}  "
        lines += finding_lines.wrapped(f"{text(rule, 'title')} {mark}", width, head, " " * 8)
    return "\n".join(lines) + "\n"


def described(rule: rulebook.Rule) -> dict[str, Any]:
    """A rule as data."""
    case: dict[str, Any] = {heading: "\n".join(example) for heading, example in _unworded(rule)}
    return {
        "code": rule.code,
        "family": rule.family,
        "severity": rule.severity,
        "scope": rule.scope,
        "fixable": rule.fixable,
        "source": rule.source,
        **{part: text(rule, part) for part in ("title", "why", "fix")},
        "examples": case,
    }


def _unworded(rule: rulebook.Rule) -> Iterator[tuple[str, list[str]]]:
    for name, (_, example) in zip(("fails", "passes"), examples(rule), strict=False):
        yield name, example


def reference(language: str) -> str:
    """All rules as a Markdown document."""
    catalogue.speak(language)
    lines = [f"# {catalogue.words('check.reference-title')}", ""]
    lines += [catalogue.words("check.reference-introduction"), ""]
    for family in rulebook.FAMILIES.values():
        rules = [rule for rule in rulebook.rules().values() if rule.family == family]
        if rules:
            lines += [f"## {family}", ""]
            for rule in rules:
                lines += _section(rule)
    return "\n".join(lines).rstrip("\n") + "\n"


def _section(rule: rulebook.Rule) -> Iterator[str]:
    yield f"### {rule.code}"
    yield ""
    yield f"**{escaping.markdown(text(rule, 'title'))}** ({severity(rule)})"
    yield ""
    yield escaping.markdown(text(rule, "why"))
    yield ""
    fixable = f" {catalogue.words('check.fixable')}" if rule.fixable else ""
    yield f"{_labelled('check.label-fix')}{escaping.markdown(text(rule, 'fix') + fixable)}"
    yield ""
    source = (
        f"<{rule.source}>" if rule.source.startswith("https://") else escaping.code(rule.source)
    )
    yield f"{_labelled('check.label-source')}{source}"
    yield ""
    for heading, example in examples(rule):
        yield f"{heading}:"
        yield ""
        # Four backticks, because an example may contain a fence of three.
        yield "````diff"
        yield from (line.rstrip() for line in example)
        yield "````"
        yield ""


def text(rule: rulebook.Rule, part: str) -> str:
    """One of a rule's texts, worded."""
    return escaping.general(rule.text(part))


def severity(rule: rulebook.Rule) -> str:
    """Its severity, worded."""
    return catalogue.words(f"check.severity-{rule.severity}")


def _labelled(text_id: str) -> str:
    return f"{catalogue.words(text_id)}: "
