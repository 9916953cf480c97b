"""Where a fault of the values is, which Helm names by a JSON pointer."""

from __future__ import annotations

import pytest
from tests.support.releases import VALUES, project

from hanbae import errors
from hanbae.checking import projects
from hanbae.rules import views

FILE = """\
env:
  - name: A
  - name: 1
ports: {a/b: 1, c~d: 2, "0": 3}
"""


@pytest.mark.parametrize(
    ("error", "place"),
    [
        ("- at '/env/1/name': got number, want string", "3:5"),
        ("- at '/env/1': got number", "3:5"),
        ("- at '/env/7/name': got number", "1:1"),
        ("- at '/env/name': got number", "1:1"),
        ("- at '/ports/a~1b': got number", "4:9"),
        ("- at '/ports/c~0d': got number", "4:17"),
        ("- at '/ports/0': got number", "4:25"),
        ("- at '/ports': additional properties 'a/b' not allowed", "4:9"),
        ("- at '': additional properties 'ports' not allowed", "4:1"),
        ("- at '/env/1': additional properties 'name' not allowed", "3:5"),
    ],
)
def test_fault_is_at_the_line_of_the_value(error: str, place: str) -> None:
    view = views.Service(project({VALUES: FILE}), "auth")
    text = f"values don't meet the specifications of the schema(s) in the following chart(s):\nx:\n{error}\n"
    fault = projects._at_values(view, "dev", errors.FileFault("render.failed", error=text))
    assert str(fault.place) == f"{VALUES}:{place}"


def test_item_of_a_list_is_in_the_last_file_that_has_it() -> None:
    files = {"a.yaml": "env:\n  - name: 1\n", "b.yaml": "ports: {}\n"}
    view = views.Service(project(files), "auth")
    assert str(view.place_of_value(tuple(files), ("env", "0", "name"))) == "a.yaml:2:5"
