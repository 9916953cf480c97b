"""The documents that ``hanbae generate docs`` wrote, against what the policy and the services say now."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

from hanbae import subjects
from hanbae.handbook import writing
from hanbae.rules import documented, rulebook, views

_SOURCE: Final = "docs: hanbae generate docs"


@rulebook.of_project("LAY019", "warning", source=_SOURCE, essential=False)
def stale_documents(project: views.Project) -> Iterator[rulebook.Hit]:
    """A document that says something else than the policy and what is rendered.

    They tell of all services, so nothing is compared where only some were checked, or one does not render.
    """
    present = {path: project.text(path) for path in writing.PATHS}
    own = {path: text for path, text in present.items() if text and writing.is_own(text)}
    names = sorted({*project.services, *project.chartless})
    if not own or not names or not project.deployed.keys() >= set(names):
        return
    services = [
        documented.service(views.Service(project, name), project.deployed[name]) for name in names
    ]
    expected = writing.written(project.policy, services)
    for path, text in own.items():
        if text != expected[path]:
            yield rulebook.Hit(subjects.Place(path, _first_difference(text, expected[path])))


def _first_difference(text: str, expected: str) -> int:
    """The line from which on a document is another one."""
    pairs = itertools.zip_longest(text.split("\n"), expected.split("\n"))
    return next((number for number, (a, b) in enumerate(pairs, 1) if a != b), 1)
