"""A service that is not there is told with those that are, and where there are none, with that."""

from __future__ import annotations

import pytest
from tests.support import trees

from hanbae import errors, wording
from hanbae.policy import loading
from hanbae.repository import services

POLICY = """\
version: 1
argocd: {repository: "https://git.example.com/shop.git"}
services: {path: "apps/*/overlays/{environment}"}
environments: {dev: {branch: develop}, staging: {branch: release, namespace_suffix: -s}}
"""


@pytest.mark.parametrize(
    ("present", "text"),
    [
        (
            ("auth", "menu"),
            wording.Text(
                "services.unknown", {"service": "x", "source": "services/*", "known": "auth, menu"}
            ),
        ),
        ((), wording.Text("services.none", {"service": "x", "source": "services/*"})),
    ],
)
def test_what_there_is_is_listed(present: tuple[str, ...], text: wording.Text) -> None:
    with pytest.raises(errors.WrongUse) as caught:
        services.require(("x",), present, source="services/*")
    assert caught.value.text == text


@pytest.mark.parametrize(
    ("files", "text_id"),
    [((), "services.none-yet"), (("apps/auth/overlays/dev/all.yaml",), "services.none-in")],
)
def test_nothing_to_choose_from_is_said_of_the_revision(
    files: tuple[str, ...], text_id: str
) -> None:
    policy, _ = loading.parse(POLICY.encode(), "hanbae.yaml")
    tree = trees.MemoryTree(dict.fromkeys(files, b"kind: ConfigMap\n"))
    with pytest.raises(errors.WrongUse) as caught:
        services.chosen(policy, tree, (), revision="release", environment="staging")
    text = caught.value.text
    assert text.id == text_id
    source = "release:apps/*/overlays/{environment}"
    assert source in {text.facts.get("path"), text.facts.get("source")}
