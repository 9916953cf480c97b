"""The two profiles: every rule says whether it is part of the smaller one."""

from __future__ import annotations

import inspect

import pytest

from hanbae.rules import rulebook

TASTE = ("LAY003", "LAY006", "ENV007", "MIG014", "MIG018", "KUB011", "SEC014", "ARG016")
BREAKS = ("INP001", "KUB001", "KUB027", "ARG001", "SEC001", "MIG006", "LAY010", "ENV018")


def test_every_registration_must_say_whether_its_rule_is_essential() -> None:
    for register in (rulebook.of_project, rulebook.of_service, rulebook.of_release):
        parameter = inspect.signature(register).parameters["essential"]
        assert parameter.default is inspect.Parameter.empty
    parameter = inspect.signature(rulebook.reported).parameters["essential"]
    assert parameter.default is inspect.Parameter.empty
    assert {type(rule.essential) for rule in rulebook.rules().values()} == {bool}


@pytest.mark.parametrize("code", BREAKS)
def test_what_breaks_in_any_cluster_is_essential(code: str) -> None:
    assert rulebook.rules()[code].essential


@pytest.mark.parametrize("code", TASTE)
def test_taste_and_layout_are_not_essential(code: str) -> None:
    assert not rulebook.rules()[code].essential
