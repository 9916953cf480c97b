"""Plans on a terminal: which objects are new, changed and deleted, then each changed object field by field."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Final

import click

from hanbae import wording
from hanbae.cli import outputs
from hanbae.cli.text import catalogue, plan_sections, wrapping
from hanbae.results import guards, plans, previews

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
        section(plan_sections.of_preview(preview, promises=promises))


def compared(comparison: previews.Comparison) -> None:
    """Write a comparison of two revisions to stdout."""
    for service in comparison.services:
        section(plan_sections.of_compared(service))
    if comparison.findings:
        outputs.emit(click.style(catalogue.words("plan.findings"), bold=True))
        for finding in comparison.findings:
            place = catalogue.printable(str(finding.place))
            head = f"  {place}  {finding.code}  "
            outputs.emit_text(catalogue.sentence(finding.text), head=head, indent="      ")
        outputs.emit("")


def section(section: plan_sections.Section) -> None:
    """Write one section to stdout."""
    width = max(wrapping.width(sys.stdout, fallback=_WIDE), _NARROWEST)
    outputs.emit(click.style(catalogue.printable(section.title), bold=True))
    for refusal in section.refusals:
        mark = click.style("✘", fg="red")
        outputs.emit_text(catalogue.sentence(refusal), head=f"  {mark} ", indent="    ")
    outputs.emit_text(plan_sections.headline(section), head="  ", indent="    ")
    _write_objects(section)
    for line in _fields(section, width):
        outputs.emit(line)
    for image in section.images:
        where = f"{plan_sections.name(image.object)} [{catalogue.printable(image.container)}]"
        outputs.emit_text(f"{catalogue.words('plan.image')} {where}", head="  ", indent="    ")
        old, new = (catalogue.printable(name) or "-" for name in (image.old, image.new))
        outputs.emit_text(f"{old} → {new}", head="    ", indent="    ")
    for sentence in _order(section):
        outputs.emit_text(sentence, head="  ", indent="    ")
    for note in section.notes:
        mark = click.style("!", fg="yellow")
        outputs.emit_text(catalogue.sentence(note), head=f"  {mark} ", indent="    ")
    outputs.emit("")


def _write_objects(section: plan_sections.Section) -> None:
    """The objects by what becomes of them; those that stay as they are are only counted."""
    for outcome, (mark, color) in _MARKS.items():
        changes = section.listed(outcome)
        if changes:
            outputs.emit(click.style(f"  {catalogue.words(f'plan.{outcome}')}", fg=color))
        for change in changes:
            line = f"{plan_sections.name(change.object)}{plan_sections.remarks(change)}"
            outputs.emit_text(line, head=f"  {click.style(mark, fg=color)} ", indent="      ")
    relabelled = section.relabelled
    if relabelled:
        facts = {"objects": ", ".join(plan_sections.name(change.object) for change in relabelled)}
        sentence = catalogue.sentence(wording.Text("plan.only-version", facts))
        outputs.emit_text(sentence, head="  ", indent="    ")


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
        if wrapping.cells(whole + by) <= width:
            values = click.style(old, fg="red"), click.style(new, fg="green")
            yield f"    {path} | {values[0]} → {values[1]}{click.style(by, dim=True)}"
            return
        marked.append(("+", new, "green"))
    yield f"    {path} |{click.style(by, dim=True)}"
    for mark, value, color in marked:
        # Indentation, mark and blank take eight columns.
        yield f"      {click.style(mark, fg=color)} {wrapping.clip(value, max(width - 8, _SHORT))}"


def _order(section: plan_sections.Section) -> Iterator[str]:
    """Migrations, and what Argo CD or Helm runs in which order."""
    yield from plan_sections.migrations(section)
    for wave in section.waves if section.changes else ():
        names = [*map(plan_sections.name, wave.objects)]
        names += [
            f"{plan_sections.name(hook)} ({catalogue.words('plan.hook')})" for hook in wave.hooks
        ]
        facts = {"phase": wave.phase, "wave": str(wave.number), "objects": ", ".join(names)}
        yield catalogue.sentence(wording.Text("plan.wave", facts))
    if section.upgrade is not None and section.changes:
        yield from plan_sections.upgrade(section.upgrade)
    if section.hooks:
        facts = {"hooks": ", ".join(map(plan_sections.name, section.hooks))}
        yield catalogue.sentence(wording.Text("plan.hooks", facts))
    timing = plan_sections.timing(section)
    if timing is not None and section.changes and not section.refusals:
        yield timing
    for entry in section.guards:
        yield catalogue.sentence(_promise(entry))


def _promise(entry: plans.Guard) -> wording.Text:
    """What a saved plan is held to; what has no sentence of its own as it is stored."""
    match guards.read(entry):
        case guards.BranchHead(branch, commit):
            facts = {"about": branch, "expected": commit[:_SHORT]}
            return wording.Text("plan.guard-branch-head", facts)
        case guards.BranchContains(branch, commit):
            facts = {"about": branch, "expected": commit[:_SHORT]}
            return wording.Text("plan.guard-branch-contains", facts)
        case guards.RunningImage(workload, container, image):
            facts = {"about": f"{workload}:{container}", "expected": image}
            return wording.Text("plan.guard-image", facts)
        case _:
            facts = {"promise": entry.promise, "expected": entry.expected}
            return wording.Text("plan.guard", facts)
