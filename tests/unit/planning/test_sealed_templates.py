"""Sealed values are looked for in templates that anybody may have written, in time that grows with them."""

from __future__ import annotations

import time

import pytest

from hanbae.planning import sealed_templates

VALUE = "Ag" + "Bx" * 350
TEMPLATES = {
    "one letter without end": ("A" * 1_000_000 + "B", "A" * 700 + "C", 0),
    "many values on one line": (f" {VALUE}" * 3000, VALUE, 3000),
    "many values behind a comment": (f"# {VALUE}" * 3000, VALUE, 0),
    "comments that are not closed": (f"{{{{/* {VALUE}\n" * 3000, VALUE, 0),
    "its first letters": (f"{VALUE[:-1]} " * 3000, VALUE, 0),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_costs_as_much_as_it_is_long(name: str) -> None:
    text, value, count = TEMPLATES[name]
    begun = time.process_time()
    assert len(sealed_templates.spans(text, value)) == count
    assert time.process_time() - begun < 6  # at most one here; it was a minute


def test_values_are_taken_outside_of_comments_alone() -> None:
    lines = [
        f"A: {VALUE}",
        f"# {VALUE}",
        f"b: c # {VALUE}",
        f"{{{{/* {VALUE} */}}}} D: {VALUE}",
        f"{{{{- /* {VALUE} */ -}}}}",
        f'E: "{VALUE[:60]}\\\n  {VALUE[60:]}"',
        f"F: a#{VALUE}",
        f"G: x{VALUE}",
        f"H: {VALUE}=",
    ]
    text = "\n".join(lines)
    starts = [start for start, _ in sealed_templates.spans(text, VALUE)]
    assert [text[text.rfind("\n", 0, start) + 1] for start in starts] == ["A", "{", "E", "F"]
