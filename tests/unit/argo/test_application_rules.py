"""The commit of an operation, as the admission policy of a set with second sources takes it."""

from __future__ import annotations

from typing import Any

import pytest
from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings

from hanbae.argo import application_rules

COMMIT, OTHER = "1" * 40, "2" * 40
TWO = {"sources": [{"path": "a"}, {"ref": "values"}]}
SINGLE = {"source": {"path": "a"}}


def takes(spec: dict[str, Any], sync: dict[str, Any], *, several: bool) -> bool:
    environment = cel.NewEnv(
        variables={"object": cel.Type.DYN, "variables": cel.Type.DYN},
        extensions=[ext_optional.ExtOptional(), ext_strings.ExtStrings()],
    )
    facts = {"object": {"spec": spec}, "variables": {"starts": True, "sync": sync}}
    answers = [
        environment.compile(rule.expression).eval(data=facts).value()
        for rule in application_rules.application(several=several)
        if "must be a full commit id" in rule.message or "has a field" in rule.message
        if "variables.sync" in rule.expression
    ]
    assert len(answers) == 2
    return all(answers)


@pytest.mark.parametrize(
    ("spec", "sync", "several", "alone"),
    [
        (SINGLE, {"revision": COMMIT}, True, True),
        (SINGLE, {"revision": "main"}, False, False),
        (SINGLE, {"revisions": [COMMIT]}, False, False),
        (SINGLE, {"revision": COMMIT, "revisions": [COMMIT]}, False, False),
        (TWO, {"revisions": [COMMIT, COMMIT]}, True, False),
        (TWO, {"revisions": [COMMIT, OTHER]}, False, False),
        (TWO, {"revisions": [COMMIT]}, False, False),
        (TWO, {"revisions": ["main", "main"]}, False, False),
        (TWO, {"revision": COMMIT, "revisions": [COMMIT, COMMIT]}, False, False),
        (TWO, {}, False, False),
    ],
)
def test_an_operation_names_one_commit_for_each_source(
    spec: dict[str, Any], sync: dict[str, Any], several: bool, alone: bool
) -> None:
    assert takes(spec, sync, several=True) is several
    assert takes(spec, sync, several=False) is alone
