"""Each rule's own examples: the failing one is found, at its place, the passing one is not, and not by luck."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support import printed_commands, trees

from hanbae import subjects
from hanbae.actions import fix
from hanbae.checking import acceptance, findings_of_rules
from hanbae.cli.text import catalogue
from hanbae.results import findings
from hanbae.rules import casebook, rulebook


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "en")
    catalogue.speak("en")


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
    for finding in findings:
        check_fix(finding)


def check_fix(finding: findings.Finding) -> None:
    """What a finding says to do has all its names, and its commands are ones that hanbae takes."""
    if finding.fix is None:
        return
    words = catalogue.sentence(finding.fix)
    assert "{" not in words, words
    for command in printed_commands.within(words):
        assert not printed_commands.fault(command), command


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


@pytest.mark.parametrize("code", [code for code in CODES if casebook.case(code).fixed])
def test_failing_example_is_mended_by_fix(
    checked: Check, shop: trees.MemoryTree, code: str, tmp_path: Path
) -> None:
    for path, data in shop.changed(casebook.case(code).fails).contents.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    before = checked(trees.MemoryTree.of(tmp_path), ["auth"])
    assert {finding.code for finding in before} == {code}
    assert fix.fix(tmp_path, before).left == ()
    assert checked(trees.MemoryTree.of(tmp_path), ["auth"]) == ()


def test_shop_is_clean(checked: Check, shop: trees.MemoryTree) -> None:
    assert checked(shop, ("auth", "identity", "personal")) == ()


def test_every_example_belongs_to_a_rule() -> None:
    folder = Path(rulebook.__file__).parent / "examples"
    assert {path.stem for path in folder.glob("*.yaml")} == set(RULES)


def fixes(
    checked: Check, shop: trees.MemoryTree, *changes: casebook.Change
) -> list[tuple[str, tuple[str, ...], str]]:
    """Code, environments and first command of what is found."""
    worded = [
        (finding, catalogue.sentence(finding.fix))
        for finding in checked(shop.changed(changes), ["auth"])
        if finding.fix is not None
    ]
    return [
        (finding.code, finding.environments, next(printed_commands.within(words), ""))
        for finding, words in worded
    ]


def test_key_that_is_not_sealed_is_sealed_by_the_whole_command(
    checked: Check, shop: trees.MemoryTree
) -> None:
    assert fixes(checked, shop, *casebook.case("SEC002").fails) == [
        ("SEC002", ("dev",), "hanbae secrets seal auth AUTH_URL --env dev")
    ]


def test_command_for_several_environments_names_none_of_them() -> None:
    place = subjects.Place("services/auth/helm/values.yaml", 1)
    facts = {"key": "AUTH_URL", "secret": "auth-secrets", "objects": "Deployment/auth"}
    apart = [
        findings_of_rules.elsewhere(
            "SEC002", rulebook.Hit(place, facts), service="auth", environment=name
        )
        for name in ("dev", "staging")
    ]
    (joined,) = findings_of_rules.merged(apart)
    assert joined.fix is not None
    assert joined.environments == ("dev", "staging")
    assert "hanbae secrets seal auth AUTH_URL --env ENV" in catalogue.sentence(joined.fix)


def test_secret_of_somebody_else_is_not_sealed_by_hanbae(
    checked: Check, shop: trees.MemoryTree
) -> None:
    ((code, _, command),) = fixes(checked, shop, *casebook.case("SEC001").fails)
    assert (code, command) == ("SEC001", "")


def test_secret_of_the_service_itself_is_sealed_with_the_keys_that_are_read(
    checked: Check, shop: trees.MemoryTree
) -> None:
    values = shop.read("services/auth/helm/values-staging.yaml")
    assert values is not None
    text = values.decode()
    start = text.index("sealedSecret:")
    change = casebook.Change("services/auth/helm/values-staging.yaml", text=text[:start])
    assert ("SEC001", ("staging",), "hanbae secrets seal auth DATABASE_URL --env staging") in fixes(
        checked, shop, change
    )


def test_names_in_a_command_are_quoted() -> None:
    place = subjects.Place("services/auth/helm/values-dev.yaml", 1)
    facts = {"key": "A; rm -rf .", "secret": "auth-secrets", "objects": "Deployment/auth"}
    finding = findings_of_rules.elsewhere(
        "SEC002", rulebook.Hit(place, facts), service="auth", environment="dev"
    )
    assert finding.fix is not None
    assert "seal auth 'A; rm -rf .' --env dev" in catalogue.sentence(finding.fix)


@pytest.mark.parametrize("is_scaffolded", [True, False])
def test_wave_that_the_policy_has_moved_comes_by_the_upgrade_of_a_scaffolded_chart(
    checked: Check, shop: trees.MemoryTree, *, is_scaffolded: bool
) -> None:
    moved = casebook.Change("hanbae.yaml", replace={"wave: -10": "wave: -9"})
    record = casebook.Change("services/auth/helm/.hanbae-scaffold.json", remove=True)
    changes = [moved] if is_scaffolded else [moved, record]
    commands = {command for code, _, command in fixes(checked, shop, *changes) if code == "SEC010"}
    assert commands == {"hanbae upgrade auth" if is_scaffolded else ""}
