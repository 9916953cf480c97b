"""A value that was typed as an argument is not repeated, and its owner learns that it must be changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support import layouts, scenes

from hanbae.actions import new_service

VALUE = "postgres://u:hunter2hunter2@h/db"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shop")
    layouts.begin(root, "one-cluster")
    new_service.new_service(root, "auth")
    return root


@pytest.mark.parametrize("output", [(), ("--output", "json")], ids=["text", "json"])
@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (("auth", f"DATABASE_URL={VALUE}"), True),
        (("auth", f"DATABASE_URL={VALUE}", "--stdin"), True),
        (("auth", "JWT_SECRET", f"DATABASE_URL={VALUE}"), True),
        ((f"DATABASE_URL={VALUE}",), True),
        (("auth", "DATABASE_URL", VALUE), False),
        (("auth", f"{VALUE}=x"), False),
    ],
    ids=["KEY=VALUE", "with --stdin", "the second", "no service", "KEY VALUE", "odd key"],
)
def test_what_was_typed_is_nowhere(
    shop: Path, arguments: tuple[str, ...], advice: bool, output: tuple[str, ...]
) -> None:
    words = ("secrets", "seal", *arguments, "--env", "dev", *output)
    ended = scenes.hanbae("--lang", "en", *words, directory=shop, COLUMNS="400")
    assert ended.code == 2
    for part in (VALUE, "hunter2", "postgres:"):
        assert part not in ended.out + ended.err
    assert ("change it" in ended.err) == advice
    assert ("DATABASE_URL" in ended.err) == advice
