"""Plans as Markdown for a comment in a review: collapsed, escaped, and never longer than a comment may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from hanbae import excerpts, wording
from hanbae.cli.text import catalogue, escaping, plan_sections
from hanbae.results import plans, previews

LARGEST: Final = 60_000
"""Characters of a document; GitHub takes 65,536 in a comment."""
_RESERVED: Final = 400
"""Characters kept free for the sentence that says what was cut."""
_LONGEST: Final = 160
"""Characters of one value."""


def compared(comparison: previews.Comparison) -> str:
    """A comparison of two revisions."""
    facts = {"base": comparison.base[:12], "head": comparison.head[:12]}
    title = catalogue.sentence(wording.Text("plan.review-title", facts))
    blocks = [_block(plan_sections.of_compared(service)) for service in comparison.services]
    if comparison.findings:
        blocks.append("\n".join(_findings(comparison)))
    return _bounded(
        title, [plan_sections.of_compared(service) for service in comparison.services], blocks
    )


def live(live_plans: Sequence[previews.Preview]) -> str:
    """Live plans."""
    sections = [plan_sections.of_preview(preview) for preview in live_plans]
    return _bounded(catalogue.words("plan.review-live"), sections, map(_block, sections))


def _bounded(title: str, sections: Sequence[plan_sections.Section], blocks: Iterable[str]) -> str:
    parts = [f"### {title}"]
    if not sections:
        parts.append(catalogue.words("plan.nothing"))
    room = LARGEST - _RESERVED - len(parts[0])
    cut = 0
    for block in (*_table(sections), *blocks):
        if len(block) + 2 > room:
            cut += 1
            # Left out, but a shorter one further down may still fit.
            continue
        parts.append(block)
        room -= len(block) + 2
    if cut:
        parts.append(f"_{catalogue.sentence(wording.Text('plan.cut', {'count': str(cut)}))}_")
    return "\n\n".join(parts)


def _table(sections: Sequence[plan_sections.Section]) -> Iterator[str]:
    if not sections:
        return
    names = ("created", "changed", "deleted", "unchanged")
    heads = [
        catalogue.words("plan.column-what"),
        *(catalogue.words(f"plan.{name}") for name in names),
    ]
    lines = [_row(heads), _row(["---"] * len(heads))]
    for section in sections:
        numbers = [str(len(section.of(name))) for name in names]
        lines.append(_row([escaping.element(section.title), *numbers]))
    yield "\n".join(lines)


def _row(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _block(section: plan_sections.Section) -> str:
    """A section, collapsed; of too many fields the first."""
    summary = f"{escaping.element(section.title)}: {escaping.element(plan_sections.counts(section.forecast))}"
    lines: list[str] = []
    # One service with many changes must not crowd out the others.
    room = LARGEST // 4
    cut = 0
    for line in (*_lists(section), *_order(section)):
        room -= len(line) + 1
        if room < 0:
            cut += 1
        else:
            lines.append(line)
    if cut:
        lines += ["", catalogue.sentence(wording.Text("plan.cut-lines", {"count": str(cut)}))]
    body = "\n".join(lines)
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def _lists(section: plan_sections.Section) -> Iterator[str]:
    for outcome in ("created", "changed", "deleted", "unknown"):
        for change in section.of(outcome):
            label = catalogue.words(f"plan.{outcome}")
            remarks = escaping.element(plan_sections.remarks(change))
            name = f"<code>{escaping.element(str(change.object))}</code>"
            yield f"- **{label}** {name} {remarks}".rstrip()
            for field in change.fields:
                yield f"  - {_field(field)}"


def _field(field: plans.Field) -> str:
    path = f"<code>{escaping.element(field.path)}</code>"
    if field.hidden:
        return f"{path}: {plan_sections.hidden(field)}"
    return f"{path}: {_value(field.old)} → {_value(field.new)}"


def _value(text: str | None) -> str:
    if text is None:
        return "∅"
    return f"<code>{escaping.element(excerpts.clipped(text, _LONGEST))}</code>"


def _order(section: plan_sections.Section) -> Iterator[str]:
    for image in section.images:
        where = f"<code>{escaping.element(str(image.object))}</code> {escaping.element(image.container)}"
        change = f"{_value(image.old or None)} → {_value(image.new or None)}"
        yield f"- **{catalogue.words('plan.image')}** {where}: {change}"
    for sentence in plan_sections.migrations(section):
        yield f"- {escaping.element(sentence)}"
    if section.upgrade is not None:
        for sentence in plan_sections.upgrade(section.upgrade):
            yield f"- {escaping.element(sentence)}"
    hooks = section.hooks or tuple(hook for wave in section.waves for hook in wave.hooks)
    if hooks:
        facts = {"hooks": ", ".join(map(str, hooks))}
        yield f"- {escaping.element(catalogue.sentence(wording.Text('plan.hooks', facts)))}"
    for note in (*section.refusals, *section.notes):
        yield f"- {escaping.element(catalogue.sentence(note))}"


def _findings(comparison: previews.Comparison) -> Iterator[str]:
    yield f"**{catalogue.words('plan.findings')}**"
    yield ""
    for finding in comparison.findings:
        text = escaping.element(catalogue.sentence(finding.text))
        yield f"- {finding.severity} {finding.code} <code>{escaping.element(str(finding.place))}</code> {text}"
