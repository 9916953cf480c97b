"""A repository with one of every hazard yields exactly those findings.

The failing examples that touch different files live together; what still cannot is put into as few repositories as
it takes, so that each code is met in company.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from hanbae.results import findings
from hanbae.rules import casebook, rulebook
from hanbae.testing import trees

Check = Callable[..., tuple[findings.Finding, ...]]
SERVICES = ("auth", "identity", "personal")


def companies() -> Iterator[list[str]]:
    """Codes whose examples touch no file in common; a company takes whoever fits, in the order of the codes."""
    waiting = [code for code in rulebook.rules() if _alone(code)]
    while waiting:
        company: list[str] = []
        touched: set[str] = set()
        for code in list(waiting):
            files = {change.file for change in casebook.case(code).fails}
            if not files & touched:
                company.append(code)
                touched |= files
                waiting.remove(code)
        yield company


def _alone(code: str) -> bool:
    """Whether a rule's example is a change to one tree, and no other branches."""
    try:
        return not casebook.case(code).branches
    except FileNotFoundError:
        return False


COMPANIES = list(companies())


@pytest.mark.parametrize("company", COMPANIES[:1], ids=lambda company: f"{len(company)} codes")
def test_every_hazard_is_found_and_nothing_else(
    checked: Check, shop: trees.MemoryTree, company: list[str]
) -> None:
    changes = [change for code in company for change in casebook.case(code).fails]
    found = checked(shop.changed(changes), SERVICES)
    expected = set(company) | {code for each in company for code in casebook.case(each).also}
    assert {each.code for each in found} == expected
