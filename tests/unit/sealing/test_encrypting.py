from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import sealing

from hanbae import errors, masking
from hanbae.sealing import ciphertexts, encrypting

KEY, OTHER = sealing.key(), sealing.key("stranger")
NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=20)
SCOPES = st.sampled_from(["strict", "namespace-wide", "cluster-wide"])


@given(st.binary(max_size=5000), SCOPES, NAMES, NAMES)
def test_sealed_value_comes_back_with_the_private_key(
    value: bytes, scope: encrypting.Scope, namespace: str, name: str
) -> None:
    label = encrypting.label(scope, namespace, name)
    sealed = encrypting.encrypt(masking.Masked(value), KEY.public_key(), label)
    assert encrypting.decrypt(sealed, [OTHER, KEY], label).unmask() == value
    assert ciphertexts.shape(sealed) == ciphertexts.Shape(2048, len(value))


@pytest.mark.parametrize(
    ("scope", "label"),
    [
        ("strict", b"services-dev/auth-secrets"),
        ("namespace-wide", b"services-dev"),
        ("cluster-wide", b""),
    ],
)
def test_each_scope_has_the_controllers_label(scope: encrypting.Scope, label: bytes) -> None:
    assert encrypting.label(scope, "services-dev", "auth-secrets") == label


@pytest.mark.parametrize(
    ("scope", "namespace", "name"),
    [("strict", "", "x"), ("strict", "x", ""), ("namespace-wide", "", "x")],
)
def test_scope_without_what_it_binds_to_is_a_bug_of_the_caller(
    scope: encrypting.Scope, namespace: str, name: str
) -> None:
    with pytest.raises(ValueError, match=scope):
        encrypting.label(scope, namespace, name)


@pytest.mark.parametrize("label", [b"services-dev/other", b"services-staging/auth-secrets", b""])
def test_value_is_bound_to_its_label(label: bytes) -> None:
    sealed = encrypting.encrypt(
        masking.Masked(b"x"), KEY.public_key(), b"services-dev/auth-secrets"
    )
    with pytest.raises(errors.Failed):
        encrypting.decrypt(sealed, [KEY], label)


@given(st.integers(0, 10**9), st.integers(0, 7))
@settings(max_examples=30)
def test_value_that_was_touched_does_not_unseal(index: int, bit: int) -> None:
    raw = bytearray(
        base64.b64decode(encrypting.encrypt(masking.Masked(b"x" * 40), KEY.public_key(), b"l"))
    )
    raw[index % len(raw)] ^= 1 << bit
    with pytest.raises(errors.Failed):
        encrypting.decrypt(base64.b64encode(raw).decode(), [KEY], b"l")


def test_same_value_never_looks_the_same() -> None:
    sealed = {encrypting.encrypt(masking.Masked(b"x"), KEY.public_key(), b"l") for _ in range(20)}
    assert len(sealed) == 20
