"""A rule that goes wrong, or takes what is the runner's, is told and stops no other."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support import trees

from hanbae import errors, subjects
from hanbae.checking import findings_of_rules
from hanbae.policy import loading
from hanbae.rules import rulebook, running, views


def project(tree: trees.MemoryTree) -> views.Project:
    policy, places = loading.parse(tree.contents["hanbae.yaml"], "hanbae.yaml")
    return views.Project(policy, places, tree, (), {})


def named(variant: str) -> rulebook.Rule:
    def check(_: views.Project) -> Iterator[rulebook.Hit]:
        yield rulebook.Hit(subjects.Place("hanbae.yaml", 1), {"name": "x"}, variant)

    return rulebook.Rule("LAY009", "warning", "project", check, "the test", essential=True)


def test_rule_that_takes_the_runners_variant_is_a_bug(shop: trees.MemoryTree) -> None:
    rule = named(rulebook.FAILED)
    (hit,) = running.over_project(project(shop), [rule])
    finding = findings_of_rules.plain(hit)
    assert finding.text.id == "check.rule-failed"
    assert finding.text.facts["error"] == "ValueError: the variant 'failed' is the runner's own"
    assert finding.fix is None


def test_any_other_variant_is_the_rules_own(shop: trees.MemoryTree) -> None:
    (hit,) = running.over_project(project(shop), [named("named")])
    finding = findings_of_rules.plain(hit)
    assert finding.text.id == "rule.lay009-found-named"
    assert finding.fix is not None


def test_what_a_rule_cannot_read_is_said_in_its_own_words(shop: trees.MemoryTree) -> None:
    place = subjects.Place("services/auth/x", 3)

    def check(_: views.Project) -> Iterator[rulebook.Hit]:
        yield rulebook.Hit(subjects.Place("hanbae.yaml", 1), {"name": "x"}, "named")
        raise errors.FileFault("repository.link-out", place=place, revision="-")

    rule = rulebook.Rule("LAY009", "notice", "project", check, "the test", essential=True)
    first, second = map(findings_of_rules.plain, running.over_project(project(shop), [rule]))
    assert first.text.id == "rule.lay009-found-named"
    assert (second.code, second.severity, second.place) == ("INP001", "error", place)
    assert (second.text.id, second.text.facts) == ("repository.link-out", {"revision": "-"})
    assert second.fix is not None


def test_rules_that_need_the_whole_release_are_there() -> None:
    codes = rulebook.rules()
    assert {codes[code].scope for code in running.NEEDS_ALL} <= {"service", "release"}
