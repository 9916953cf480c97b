"""A repository with one of every hazard yields exactly those findings, at their places, whatever else is wrong there.

Each failing example lives in a copy of its own: of the services that it changes (``services/auth`` becomes
``services/arg001-auth``), of a file that it adds, or in one environment's overlay.
What is wrong with the policy is found wherever it matters: those examples have a second repository, and so have the
overlays that are too many for the first and documents that tell of every service.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
from tests.support import trees

from hanbae.results import findings
from hanbae.rules import casebook, rulebook

Check = Callable[..., tuple[findings.Finding, ...]]
Rename = Callable[[str], str]
SERVICES = ("auth", "identity", "personal")
POLICY = "hanbae.yaml"
#: Each spoils the overlay of an environment.
OVERLAYS = {"KUS001": "dev", "KUS003": "staging", "KUS004": "production"}
SECOND_OVERLAYS = {"KUS002": "dev", "KUS006": "production"}
DOCUMENTS = "LAY019"
"""Looks only where every service renders, as in the second repository."""


def test_one_of_every_hazard_is_found_and_nothing_else(
    checked: Check, shop: trees.MemoryTree
) -> None:
    cases = examples(second=False)
    assert len(cases) > 140
    contents, services = dict(shop.contents), list(SERVICES)
    changes: list[casebook.Change] = []
    branches: dict[str, list[casebook.Change]] = {}
    places: set[tuple[str, str]] = set()
    also: set[tuple[str, str]] = set()
    for code, case in cases.items():
        own = touched(case)
        rename = renaming(code, own)
        for name in own:
            contents |= copied(shop, name, rename)
        renamed = changed(case, rename)
        changes += renamed.fails
        for environment, differences in renamed.branches.items():
            branches.setdefault(environment, []).extend(differences)
        services += [rename(name) for name in own]
        places |= {(code, place) for place in renamed.at}
        also |= {(other, rename(name)) for other in case.also for name in own}

    tree = trees.MemoryTree(contents)
    findings = checked(
        tree.changed(changes),
        services,
        branches={name: tree.changed(snapshot) for name, snapshot in branches.items()},
    )
    by_service = {(finding.code, owner(finding.place.file)) for finding in findings}
    assert by_service >= also
    assert {
        (finding.code, shown(finding))
        for finding in findings
        if (finding.code, owner(finding.place.file)) not in also
    } == places


def test_every_hazard_of_the_policy_and_two_of_overlays_are_found_and_nothing_else(
    checked: Check, shop: trees.MemoryTree
) -> None:
    cases = examples(second=True)
    assert len(cases) > 6
    changes = [
        change
        for code, case in cases.items()
        for change in changed(case, renaming(code, touched(case))).fails
    ]
    findings = checked(shop.changed(changes), SERVICES)
    also = {code for case in cases.values() for code in case.also}
    assert {finding.code for finding in findings} == {*cases, *also}


def examples(*, second: bool) -> dict[str, casebook.Case]:
    """The examples of the second repository, or those of the first."""
    cases = {code: casebook.case(code) for code in rulebook.rules()}
    return {
        code: case
        for code, case in cases.items()
        if case.where == "files"
        and second
        is (
            code in {*SECOND_OVERLAYS, DOCUMENTS}
            or any(change.file == POLICY for change in case.fails)
        )
    }


def touched(case: casebook.Case) -> list[str]:
    """The services whose files an example changes."""
    return sorted({owner(change.file) for change in case.fails} - {""})


def owner(path: str) -> str:
    """The service that a file belongs to; empty for none."""
    top, _, rest = path.partition("/")
    return rest.partition("/")[0] if top == "services" else ""


def renaming(code: str, services: list[str]) -> Rename:
    """Gives what an example names the name that it has in the copy."""
    # Not the "auth" of "ssh-auth".
    names = re.compile(rf"(?<![\w-])({'|'.join([*services, 'accounts'])})(?![A-Za-z0-9])")
    overlay = f"overlays/{(OVERLAYS | SECOND_OVERLAYS).get(code, 'dev')}"
    return lambda text: names.sub(rf"{code.lower()}-\1", text.replace("overlays/dev", overlay))


def copied(shop: trees.MemoryTree, service: str, rename: Rename) -> dict[str, bytes]:
    """A service's files under the copy's name."""
    return {
        rename(path): rename(data.decode()).encode()
        for path, data in shop.contents.items()
        if path.startswith(f"services/{service}/")
    }


def changed(case: casebook.Case, rename: Rename) -> casebook.Case:
    """The example as it stands in the copy."""
    return msgspec.convert(everywhere(msgspec.to_builtins(case), rename), casebook.Case)


def everywhere(value: Any, rename: Rename) -> Any:
    """Each text in a value renamed."""
    if isinstance(value, str):
        return rename(value)
    if isinstance(value, dict):
        return {rename(key): everywhere(item, rename) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [everywhere(item, rename) for item in value]
    return value


def shown(finding: findings.Finding) -> str:
    place = finding.place
    return f"{place.file}:{place.line}" if place.line else place.file
