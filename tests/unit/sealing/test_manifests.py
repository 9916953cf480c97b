from __future__ import annotations

import base64

import pytest

from hanbae import errors
from hanbae.sealing import encrypting, manifests


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
        manifests.shape(ciphertext)


def test_empty_value_has_a_shape_too() -> None:
    sealed = base64.b64encode(b"\x02\x00" + bytes(512 + 16)).decode()
    assert manifests.shape(sealed) == manifests.Shape(4096, 0)


@pytest.mark.parametrize("key", ["DATABASE_URL", "tls.key", "a-b", "x" * 253])
def test_key_of_a_secret(key: str) -> None:
    assert manifests.is_key(key)


@pytest.mark.parametrize("key", ["", ".", "..", "A B", "A=B", "a/b", "x" * 254, "한글", "A\n"])
def test_not_a_key_of_a_secret(key: str) -> None:
    assert not manifests.is_key(key)


@pytest.mark.parametrize("scope", ["namespace-wide", "cluster-wide"])
def test_wider_scope_is_written_where_the_controller_and_its_rotation_look(
    scope: encrypting.Scope,
) -> None:
    made = manifests.sealed_secret(
        "auth-secrets", "services-dev", {"A": "x"}, scope=scope, annotations={"w": "1"}
    )
    annotation = {f"sealedsecrets.bitnami.com/{scope}": "true"}
    assert made["metadata"]["annotations"] == {"w": "1"} | annotation
    assert made["spec"]["template"]["metadata"]["annotations"] == annotation


def test_strict_scope_needs_no_annotation() -> None:
    made = manifests.sealed_secret("auth-secrets", "services-dev", {"A": "x"})
    assert "annotations" not in made["metadata"]
    assert made["spec"]["encryptedData"] == {"A": "x"}
