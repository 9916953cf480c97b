"""Texts of a file of YAML become others on their lines, and nothing else changes."""

from __future__ import annotations

import pytest

from hanbae import errors, libyaml
from hanbae.planning import scalar_lines
from hanbae.releases import objects


def replaced(text: str, *pointers: objects.Pointer) -> str:
    """The text with `web:2.0` at some places."""
    ((node, _),) = libyaml.both(text)
    nodes = [scalar_lines.scalar(node, pointer, "a.yaml") for pointer in pointers]
    return scalar_lines.replaced(text, "a.yaml", nodes, "web:2.0")


def test_every_text_is_replaced_on_its_line() -> None:
    text = "images: [web:1, 'web:1', \"web:1\"] # three\nother: web:1\n"
    expected = "images: [web:2.0, 'web:2.0', \"web:2.0\"] # three\nother: web:1\n"
    assert replaced(text, *(("images", index) for index in (2, 0, 1))) == expected


@pytest.mark.parametrize("value", ["&app web:1", "!!str web:1", "&app 'web:1'"])
def test_a_text_with_an_anchor_or_a_tag_is_left_to_people(value: str) -> None:
    with pytest.raises(errors.FileFault) as refused:
        replaced(f"first: 1\nimage: {value}\n", ("image",))
    assert (refused.value.text.id, str(refused.value.place)) == ("values.anchored", "a.yaml:2")


def test_the_alias_of_a_text_is_left_to_people() -> None:
    for pointers in ((("second",),), (("first",), ("second",))):
        with pytest.raises(errors.FileFault) as refused:
            replaced("first: &app web:1\nsecond: *app\n", *pointers)
        assert refused.value.text.id == "values.anchored"


def test_a_text_that_two_places_share_is_written_once() -> None:
    text = "first: &c {name: c, image: web:1, args: [web:1]}\nsecond: *c\n"
    expected = text.replace("image: web:1", "image: web:2.0")
    assert replaced(text, ("first", "image"), ("second", "image")) == expected
