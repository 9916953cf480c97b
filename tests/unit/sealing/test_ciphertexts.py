from __future__ import annotations

import base64

import pytest

from hanbae import errors
from hanbae.sealing import ciphertexts


@pytest.mark.parametrize(
    ("ciphertext", "why"),
    [
        ("", "no-rsa-block"),
        ("not base64!", "not-base64"),
        ("AgA", "not-base64"),
        (base64.b64encode(b"postgres://shop:pw@db/shop").decode(), "no-rsa-block"),
        (base64.b64encode(b"\x01\x00" + bytes(256 + 15)).decode(), "cut-off"),
    ],
)
def test_what_cannot_be_sealed_is_told(ciphertext: str, why: str) -> None:
    with pytest.raises(errors.WrongUse, match=why):
        ciphertexts.shape(ciphertext)


def test_empty_value_has_a_shape_too() -> None:
    sealed = base64.b64encode(b"\x02\x00" + bytes(512 + 16)).decode()
    assert ciphertexts.shape(sealed) == ciphertexts.Shape(4096, 0)


def test_ends_of_lines_in_a_value_count_for_nothing_as_to_the_controller() -> None:
    sealed = base64.encodebytes(b"\x02\x00" + bytes(512 + 16)).decode()
    for text in (sealed, sealed.replace("\n", "\r\n")):
        assert ciphertexts.shape(text) == ciphertexts.Shape(4096, 0)
    with pytest.raises(errors.WrongUse, match="not-base64"):
        ciphertexts.shape(sealed.replace("\n", " "))


@pytest.mark.parametrize("key", ["DATABASE_URL", "tls.key", "a-b", "x" * 253])
def test_key_of_a_secret(key: str) -> None:
    assert ciphertexts.is_key(key)


@pytest.mark.parametrize("key", ["", ".", "..", "A B", "A=B", "a/b", "x" * 254, "한글", "A\n"])
def test_not_a_key_of_a_secret(key: str) -> None:
    assert not ciphertexts.is_key(key)
