"""What a controller answers is taken only if it can be what was sealed: a lossy or a strange one loses no value."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from tests.support import sealing

from hanbae import errors, masking, subjects
from hanbae.actions import init
from hanbae.clusters import sealing_controllers
from hanbae.planning import sealed_files, stale_values
from hanbae.policy import loading
from hanbae.sealing import certificates, encrypting

FORMER, NEWEST = sealing.key("former"), sealing.key("newest")
SMALL = certificates.parse(sealing.certificate(NEWEST), "newest")
LABEL = b"services-dev/auth-secrets"
PLAIN = {"A": b"first", "B": b"second"}


@functools.cache
def large() -> Any:
    """A private key of another size, which takes a while to make: not whenever tests are collected."""
    return sealing.rsa.generate_private_key(65537, 3072)


def sealed(value: bytes, key: Any = NEWEST) -> str:
    return encrypting.encrypt(masking.Masked(value), key.public_key(), LABEL)


BEFORE = {key: sealed(value, FORMER) for key, value in PLAIN.items()}


class Controller:
    """Answers as it is told, and opens what its keys open."""

    def __init__(self, answer: Mapping[str, Any] | None) -> None:
        self._answer = answer

    async def sealed_anew(self, _: Mapping[str, Any]) -> Mapping[str, Any] | None:
        return self._answer

    async def opens(self, manifest: Mapping[str, Any]) -> bool:
        try:
            for text in manifest["spec"]["encryptedData"].values():
                encrypting.decrypt(text, [NEWEST, FORMER, large()], LABEL)
        except errors.Failed:
            return False
        return True


def asked_for(folder: Path, answer: Mapping[str, Any] | None) -> Mapping[str, str]:
    init.init(folder, repository="https://git.example.com/shop.git", one_cluster=True)
    file = sealed_files.SealedFile(
        "auth", "dev", "v.yaml", {}, "services-dev", "auth-secrets", subjects.Place("v.yaml"), False
    )
    controller = cast("sealing_controllers.Controller", Controller(answer))
    loaded, stale = loading.load(folder / "hanbae.yaml"), stale_values.Stale(file, BEFORE)
    return asyncio.run(stale_values.asked_for(loaded, controller, stale, SMALL))


def test_what_a_controller_seals_anew_is_taken(tmp_path: Path) -> None:
    answer = {key: sealed(value) for key, value in PLAIN.items()}
    assert asked_for(tmp_path, answer | {"C": sealed(b"of the template")}) == answer


@pytest.mark.parametrize(
    "lossy",
    [
        dict,
        lambda: {"B": None},
        lambda: {"B": 5},
        lambda: {"B": "c2Vjb25k"},
        lambda: {"B": BEFORE["B"]},
        lambda: {"B": sealed(b"longer than it was")},
        lambda: {"B": sealed(b"second", large())},
        lambda: {"B": sealed(b"second", sealing.key("stranger"))},
    ],
    ids=["left out", "null", "a number", "in clear", "as it was", "longer", "other size", "no key"],
)
def test_answer_that_loses_a_value_is_refused(
    tmp_path: Path, lossy: Callable[[], dict[str, Any]]
) -> None:
    with pytest.raises(errors.Failed, match="reseal-lossy") as failed:
        asked_for(tmp_path, {"A": sealed(b"first"), **lossy()})
    assert "first" not in str(failed.value)


def test_values_that_no_key_opens_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unopened = sealed(b"second", sealing.key("stranger"))
    monkeypatch.setitem(cast("dict[str, str]", BEFORE), "B", unopened)
    with pytest.raises(errors.Failed, match="reseal-unopened") as failed:
        asked_for(tmp_path, None)
    assert failed.value.text.facts["keys"] == "B"
