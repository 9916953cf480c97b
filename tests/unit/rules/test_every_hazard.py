"""A repository with as many hazards as can live together yields exactly those codes.

The failing examples that touch different files are all made in one repository; most of the others change a file that
is taken already. Each of them alone, with its places, is in `test_examples`.
"""

from __future__ import annotations

from collections.abc import Callable

from hanbae.results import findings
from hanbae.rules import casebook, rulebook
from hanbae.testing import trees

Check = Callable[..., tuple[findings.Finding, ...]]
SERVICES = ("auth", "identity", "personal")

#: Their example takes away, or turns into something else, what another one's is found by.
APART = frozenset({"ARG031", "ENV003", "MIG006", "MIG007", "MIG008", "MIG009", "MIG010"})


def company() -> list[str]:
    """Codes whose examples touch no file in common; whoever comes first takes a file, in the order of the codes."""
    found: list[str] = []
    taken: set[str] = set()
    for code in rulebook.rules():
        files = set() if code in APART else touched(code)
        if files and not files & taken:
            found.append(code)
            taken |= files
    return found


def touched(code: str) -> set[str]:
    """The files that a rule's failing example changes; none where it needs other branches, or has no example."""
    try:
        case = casebook.case(code)
    except FileNotFoundError:
        return set()
    return set() if case.branches else {change.file for change in case.fails}


def test_every_hazard_is_found_and_nothing_else(checked: Check, shop: trees.MemoryTree) -> None:
    codes = company()
    assert len(codes) > 30
    cases = {code: casebook.case(code) for code in codes}
    tree = shop.changed([change for case in cases.values() for change in case.fails])
    found = checked(tree, SERVICES)
    also = {code for case in cases.values() for code in case.also}
    assert {each.code for each in found} == {*codes, *also}
