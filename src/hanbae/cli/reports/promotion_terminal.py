"""A promotion on a terminal: what moves, then what becomes of the environment's objects."""

from __future__ import annotations

from collections.abc import Iterator

import click

from hanbae.cli import outputs
from hanbae.cli.reports import plan_terminal
from hanbae.cli.text import catalogue, promotion_words, wrapping
from hanbae.results import promotions


def show(promotion: promotions.Promotion) -> None:
    """Write a promotion to stdout."""
    outputs.emit_text(catalogue.printable(promotion_words.summary(promotion)))
    for section in promotion_words.sections(promotion):
        outputs.emit("")
        outputs.emit(click.style(section.title, bold=True))
        for depth, sentence in section.sentences:
            indent = "  " * (depth + 1)
            outputs.emit_text(catalogue.printable(sentence), head=indent, indent=f"{indent}  ")
    outputs.emit("")
    plan_terminal.compared(promotion.comparison)


def brief(promotion: promotions.Promotion, *, width: int) -> Iterator[str]:
    """A promotion in few lines: what moves, and its services with their gates.

    Args:
        promotion: The promotion.
        width: Columns that lines may take.
    """
    sentences = [(0, promotion_words.summary(promotion))]
    sentences += [(depth + 1, words) for depth, words in promotion_words.services(promotion)]
    for depth, sentence in sentences:
        indent = "  " * (depth + 1)
        yield from wrapping.paragraph(
            catalogue.printable(sentence), width, head=indent, indent=f"{indent}  "
        )
