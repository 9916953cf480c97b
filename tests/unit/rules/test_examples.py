"""Each rule's own examples: the failing one is found, at its place, the passing one is not, and not by luck."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support import trees

from hanbae.checking import acceptance
from hanbae.results import findings
from hanbae.rules import casebook, rulebook

Check = Callable[..., tuple[findings.Finding, ...]]

RULES = rulebook.rules()
#: Those of git's history, of a cluster and of a branch are held by test_history_scan, tests/api/test_check_live and
#: tests/security/test_h01_branches.
CODES = [code for code in RULES if casebook.case(code).where == "files"]
#: What the runner itself finds; these rules only name it.
OWN = frozenset(acceptance.OWN)


def check_example(
    checked: Check, shop: trees.MemoryTree, case: casebook.Case, code: str, **options: Any
) -> None:
    """What an example must yield: its finding at its places, nothing else, and nothing for the passing one."""
    files = [change.file for change in (*case.fails, *case.passes)]
    services = touched(files, ("auth", "identity", "personal"))
    branches = {name: shop.changed(changes) for name, changes in case.branches.items()}
    options = {**options, "branches": branches}
    findings = checked(shop.changed(case.fails), services, **options)
    own = [finding for finding in findings if finding.code == code]
    assert [shown(finding) for finding in own] == list(case.at)
    assert {finding.code for finding in findings} == {code, *case.also}
    assert checked(shop.changed(case.passes), services, **options) == ()


def touched(paths: Iterable[str], services: Sequence[str]) -> list[str]:
    """The services that files belong to; auth where they belong to none."""
    parts = [path.split("/") for path in paths]
    names = {part[1] for part in parts if part[0] == "services" and len(part) > 1}
    return sorted(names & set(services)) or ["auth"]


def shown(finding: findings.Finding) -> str:
    place = finding.place
    return f"{place.file}:{place.line}" if place.line else place.file


@pytest.mark.parametrize("code", CODES)
def test_rule_finds_its_failing_example_and_leaves_the_passing_one(
    checked: Check, shop: trees.MemoryTree, code: str
) -> None:
    check_example(checked, shop, casebook.case(code), code)


@pytest.mark.parametrize("code", [code for code in CODES if code not in OWN])
def test_example_fails_when_the_rule_does_nothing(
    checked: Check, shop: trees.MemoryTree, code: str
) -> None:
    def nothing(_: object) -> Iterator[rulebook.Hit]:
        yield from ()

    case = casebook.case(code)
    mutated = [
        msgspec.structs.replace(rule, check=nothing) if rule.code == code else rule
        for rule in RULES.values()
        if rule.code
        in {code, *case.also}  # no other finds anything in it, as the test above has shown
    ]
    with pytest.raises(AssertionError):
        check_example(checked, shop, case, code, rules=mutated)


def test_shop_is_clean(checked: Check, shop: trees.MemoryTree) -> None:
    assert checked(shop, ("auth", "identity", "personal")) == ()


def test_every_example_belongs_to_a_rule() -> None:
    folder = Path(rulebook.__file__).parent / "examples"
    assert {path.stem for path in folder.glob("*.yaml")} == set(RULES)
