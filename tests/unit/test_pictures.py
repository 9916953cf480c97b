"""The text of the flow picture stays inside its boxes, whatever common font a reader has."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
SVG = "{http://www.w3.org/2000/svg}"
#: Width of a letter, in ems: of DejaVu Sans and Verdana, the widest of the usual fonts, on average; Hangul is square.
LETTER, BOLD, SQUARE = 0.62, 0.68, 1.0


def width(text: str, size: float, *, bold: bool) -> float:
    letter = BOLD if bold else LETTER
    return sum(
        size * (SQUARE if unicodedata.east_asian_width(character) in "WF" else letter)
        for character in text
    )


def overflows(root: ET.Element) -> list[str]:
    """The texts that begin in a box and end outside of it."""
    style = root.findtext(f"{SVG}style") or ""
    sizes = {name: float(size) for name, size in re.findall(r"\.(\w+)\{font-size:(\d+)px", style)}
    bold = set(re.findall(r"\.(\w+)\{[^}]*font-weight:6", style))
    boxes = [
        tuple(float(box.get(name, "0")) for name in ("x", "y", "width", "height"))
        for box in root.iter(f"{SVG}rect")
        if box.get("x")
    ]
    too_wide = []
    for element in root.iter(f"{SVG}text"):
        x, y, kind = (
            float(element.get("x", "0")),
            float(element.get("y", "0")),
            element.get("class", ""),
        )
        around = [
            box
            for box in boxes
            if box[0] <= x <= box[0] + box[2] and box[1] <= y <= box[1] + box[3]
        ]
        end = x + width(element.text or "", sizes[kind], bold=kind in bold)
        if around and end > min(box[0] + box[2] for box in around):
            too_wide.append(element.text or "")
    return too_wide


@pytest.mark.parametrize("name", ["flow.svg", "flow.ko.svg"])
def test_text_stays_in_its_box(name: str) -> None:
    root = ET.fromstring((PICTURES / name).read_text())  # noqa: S314  our own file
    assert len(list(root.iter(f"{SVG}text"))) > 20
    assert overflows(root) == []
