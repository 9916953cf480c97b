"""The branch that a promotion is pushed as."""

from __future__ import annotations

from hanbae.actions import promote


def test_each_choice_of_services_has_a_branch_of_its_own_however_long_it_is() -> None:
    names = [f"service-{number:03}" for number in range(40)]
    choices = [(), ("auth",), ("auth", "mail"), names[:39], names, names[1:]]
    branches = [promote._branch("dev", "staging", choice) for choice in choices]
    assert len(set(branches)) == len(choices)
    assert max(map(len, branches)) <= 100
    assert branches[:3] == [
        "hanbae/dev-to-staging",
        "hanbae/dev-to-staging.auth",
        "hanbae/dev-to-staging.auth+mail",
    ]
    assert promote._branch("dev", "staging", ("mail", "auth", "mail")) == branches[2]
