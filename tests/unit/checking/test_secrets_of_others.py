"""Findings about a Secret that another service's release makes, and names that are no names."""

from __future__ import annotations

import pytest
from tests.support.releases import manifest, release

from hanbae.checking import findings_of_rules, secrets_of_others
from hanbae.rules import claims, rulebook, running

SEC001 = rulebook.rules()["SEC001"]


@pytest.mark.parametrize("odd", ["a\0b", "\0", "a\0b\0c\0d"])
@pytest.mark.parametrize("maker", ["other", "own"])
def test_secret_of_another_service_is_not_missing_beside_an_odd_name(maker: str, odd: str) -> None:
    view = release()
    hit = rulebook.Hit(view.value_place("image"), {"object": "x", "secret": "keys"})
    located = [findings_of_rules.plain(running.RuleHit(SEC001, hit, "auth", "dev"))]
    objects = release([manifest("Secret", "keys"), manifest("ConfigMap", odd)]).objects
    own = claims.of(objects, cluster="", cluster_scoped=frozenset())
    claimed = [(("web" if maker == "other" else "auth", "dev"), own)]
    left = list(secrets_of_others.without(located, claimed, view.policy))
    assert left == ([] if maker == "other" else located)
