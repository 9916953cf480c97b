"""Plans on a terminal: which objects are new, changed and deleted, then each changed object field by field."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from typing import Final

import click
from rich import cells

from hanbae import wording
from hanbae.cli import outputs
from hanbae.cli.text import catalogue, plan_sections
from hanbae.results import plans, previews

_WIDE: Final = 110
"""Columns where there is no terminal to ask, as in a pipe."""
_NARROWEST: Final = 24
_SHORT: Final = 12
_MARKS: Final = {
    "created": ("+", "green"),
    "changed": ("~", "yellow"),
    "deleted": ("-", "red"),
    "unknown": ("?", "magenta"),
}


def live(live_plans: Sequence[previews.Preview], *, promises: bool = False) -> None:
    """Write live plans to stdout.

    Args:
        live_plans: The plans.
        promises: Whether what a saved plan is held to is shown as well.
    """
    for preview in live_plans:
        _section(plan_sections.of_preview(preview, promises=promises))


def compared(comparison: previews.Comparison) -> None:
    """Write a comparison of two revisions to stdout."""
    for service in comparison.services:
        _section(plan_sections.of_compared(service))
    if comparison.findings:
        outputs.emit(click.style(catalogue.words("plan.findings"), bold=True))
        for finding in comparison.findings:
            place = catalogue.printable(str(finding.place))
            outputs.emit(f"  {place}  {finding.code}  {catalogue.sentence(finding.text)}")
        outputs.emit("")


def _section(section: plan_sections.Section) -> None:
    width = max(shutil.get_terminal_size((_WIDE, 24)).columns, _NARROWEST)
    outputs.emit(click.style(catalogue.printable(section.title), bold=True))
    outputs.emit(f"  {plan_sections.headline(section)}")
    for line in (*_lists(section), *_fields(section, width), *_order(section)):
        outputs.emit(line)
    for note in section.notes:
        outputs.emit(f"  {click.style('!', fg='yellow')} {catalogue.sentence(note)}")
    outputs.emit("")


def _lists(section: plan_sections.Section) -> Iterator[str]:
    """The objects by what becomes of them; those that stay as they are are only counted."""
    for outcome, (mark, color) in _MARKS.items():
        changes = section.listed(outcome)
        if changes:
            yield click.style(f"  {catalogue.words(f'plan.{outcome}')}", fg=color)
        for change in changes:
            name = f"{plan_sections.name(change.object)}{plan_sections.remarks(change)}"
            yield f"  {click.style(mark, fg=color)} {name}"
    relabelled = section.relabelled
    if relabelled:
        facts = {"objects": ", ".join(plan_sections.name(change.object) for change in relabelled)}
        yield f"  {catalogue.sentence(wording.Text('plan.only-version', facts))}"


def _fields(section: plan_sections.Section, width: int) -> Iterator[str]:
    for change in section.listed("changed"):
        yield ""
        yield click.style(f"  {plan_sections.name(change.object)}", bold=True)
        if not change.fields:
            yield f"    {catalogue.words('plan.no-fields')}"
        for field in plan_sections.fields(change):
            yield from _field(field, width)
    if section.listed("changed"):
        yield ""


def _field(field: plans.Field, width: int) -> Iterator[str]:
    path = catalogue.printable(field.path)
    managers = plan_sections.foreign(field.managers)
    by = f"  [{', '.join(map(catalogue.printable, managers))}]" if managers else ""
    if field.hidden:
        yield f"    {path} | {plan_sections.hidden(field)}{click.style(by, dim=True)}"
        return
    old = "" if field.old is None else catalogue.printable(field.old)
    new = "" if field.new is None else catalogue.printable(field.new)
    marked = [("+", new, "green")] if field.old is None else [("-", old, "red")]
    if field.old is not None and field.new is not None:
        whole = f"    {path} | {old} → {new}"
        if cells.cell_len(whole + by) <= width:
            shown = click.style(old, fg="red"), click.style(new, fg="green")
            yield f"    {path} | {shown[0]} → {shown[1]}{click.style(by, dim=True)}"
            return
        marked.append(("+", new, "green"))
    yield f"    {path} |{click.style(by, dim=True)}"
    for mark, value, color in marked:
        yield f"      {click.style(mark, fg=color)} {_clipped(value, width - 8)}"


def _clipped(text: str, width: int) -> str:
    """A text of at most so many columns; a Korean letter takes two."""
    width = max(width, _SHORT)
    if cells.cell_len(text) <= width:
        return text
    return f"{cells.set_cell_size(text, width - 1).rstrip()}…"


def _order(section: plan_sections.Section) -> Iterator[str]:
    """Images, migrations, and what Argo CD runs in which order."""
    for image in section.images:
        where = f"{plan_sections.name(image.object)} [{catalogue.printable(image.container)}]"
        old, new = (catalogue.printable(image_name) or "-" for image_name in (image.old, image.new))
        yield f"  {catalogue.words('plan.image')} {where}"
        yield f"    {old} → {new}"
    for sentence in plan_sections.migrations(section):
        yield f"  {sentence}"
    for wave in section.waves if section.changes else ():
        names = [*map(plan_sections.name, wave.objects)]
        names += [
            f"{plan_sections.name(hook)} ({catalogue.words('plan.hook')})" for hook in wave.hooks
        ]
        facts = {"phase": wave.phase, "wave": str(wave.number), "objects": ", ".join(names)}
        yield f"  {catalogue.sentence(wording.Text('plan.wave', facts))}"
    if section.hooks:
        facts = {"hooks": ", ".join(map(plan_sections.name, section.hooks))}
        yield f"  {catalogue.sentence(wording.Text('plan.hooks', facts))}"
    if section.estimate is not None and section.changes:
        yield f"  {plan_sections.timing(section.estimate)}"
    for guard in section.guards:
        facts = {"promise": guard.promise, "expected": guard.expected}
        yield f"  {catalogue.sentence(wording.Text('plan.guard', facts))}"
