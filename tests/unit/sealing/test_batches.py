"""Many values at once: what other threads seal opens as what this one seals, and none of them stays behind."""

from __future__ import annotations

import base64
import os
import threading

import pytest
from tests.support import sealing

from hanbae import masking
from hanbae.sealing import batches, ciphertexts, encrypting

KEY = sealing.key()
LABEL = b"services-dev/auth-secrets"
PLAIN = {
    f"KEY_{number:03}": f"c4n4ry {number}".encode() * (number % 5 + 1) for number in range(300)
}
MASKED = {name: masking.Masked(value) for name, value in PLAIN.items()}


@pytest.fixture(autouse=True)
def processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})


@pytest.fixture
def sealers(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The threads that have sealed something."""
    threads: set[int] = set()
    encrypt = encrypting.Encryptor.encrypt

    def recorded(self: encrypting.Encryptor, plaintext: masking.Masked) -> str:
        threads.add(threading.get_ident())
        return encrypt(self, plaintext)

    monkeypatch.setattr(encrypting.Encryptor, "encrypt", recorded)
    return threads


def test_every_value_opens_and_no_two_have_a_session_key_in_common(sealers: set[int]) -> None:
    with batches.sealing(MASKED, KEY.public_key(), LABEL) as finish:
        sealed = finish()
    assert len(sealers) > 1
    assert list(sealed) == list(PLAIN)
    opened = {name: encrypting.decrypt(text, [KEY], LABEL) for name, text in sealed.items()}
    assert {name: value.unmask() for name, value in opened.items()} == PLAIN
    blocks = {base64.b64decode(text)[2:258] for text in sealed.values()}
    sessions = {KEY.decrypt(block, encrypting._padding(LABEL)) for block in blocks}
    assert len(blocks) == len(sessions) == len(PLAIN)
    assert ciphertexts.shape(sealed["KEY_000"]) == ciphertexts.Shape(2048, len(PLAIN["KEY_000"]))


def test_what_is_given_up_is_not_sealed_and_leaves_no_thread(sealers: set[int]) -> None:
    before = threading.active_count()
    many = {f"{name}_{number}": value for name, value in MASKED.items() for number in range(100)}
    with pytest.raises(KeyboardInterrupt), batches.sealing(many, KEY.public_key(), LABEL):
        raise KeyboardInterrupt
    assert threading.active_count() == before
    assert threading.get_ident() not in sealers


def test_few_values_need_no_other_thread(sealers: set[int]) -> None:
    few = dict(list(MASKED.items())[: batches.FEWEST - 1])
    with batches.sealing(few, KEY.public_key(), LABEL) as finish:
        assert list(finish()) == list(few)
    assert sealers == {threading.get_ident()}


def test_a_fault_in_another_thread_is_told_in_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(self: encrypting.Encryptor, plaintext: masking.Masked) -> str:
        message = "cannot encrypt"
        raise RuntimeError(message)

    monkeypatch.setattr(encrypting.Encryptor, "encrypt", failing)
    with (
        pytest.raises(RuntimeError, match="cannot encrypt"),
        batches.sealing(MASKED, KEY.public_key(), LABEL) as finish,
    ):
        finish()
