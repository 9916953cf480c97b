"""Texts with variables of the build environment, as Go's ``os.Expand`` puts them in."""

from __future__ import annotations

import pytest

from hanbae.argo import build_environment

COMMIT = "0123456789abcdef0123456789abcdef01234567"
VARIABLES = {"ARGOCD_APP_NAME": "cart-dev", "ARGOCD_APP_NAMESPACE": "shop"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("", ""),
        ("plain", "plain"),
        ("$ARGOCD_APP_NAME", "cart-dev"),
        ("a-${ARGOCD_APP_NAME}-b", "a-cart-dev-b"),
        ("$ARGOCD_APP_NAMESPACE/$ARGOCD_APP_NAME.", "shop/cart-dev."),
        ("$OTHER${OTHER}", ""),
        ("$$HOME", "$HOME"),
        ("$$$ARGOCD_APP_NAME", "$cart-dev"),
        ("${}x", "x"),
        ("${ARGOCD_APP_NAME", "ARGOCD_APP_NAME"),
        ("100$", "100$"),
        ("a$ b", "a$ b"),
        ("$1$?x", "x"),
        ("$ARGOCD_APP_REVISION_SHORT_8", "01234567"),
        ("v${ARGOCD_APP_REVISION_SHORT}", "v0123456"),
        ("${ARGOCD_APP_REVISION}", COMMIT),
    ],
)
def test_variables_are_put_in(text: str, expanded: str) -> None:
    variables = VARIABLES | build_environment.of_commit(COMMIT)
    assert build_environment.expanded(text, variables) == expanded


def test_the_commit_is_left_where_it_is_not_known() -> None:
    text = "$ARGOCD_APP_NAME:${ARGOCD_APP_REVISION}-$ARGOCD_APP_REVISION_SHORT"
    expected = "cart-dev:${ARGOCD_APP_REVISION}-$ARGOCD_APP_REVISION_SHORT"
    assert build_environment.expanded(text, VARIABLES | build_environment.of_commit("")) == expected


def test_braces_without_end_take_no_time() -> None:
    assert build_environment.expanded("${" * 100_000, VARIABLES) == ""
