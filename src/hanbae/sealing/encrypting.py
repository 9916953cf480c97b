"""Seals one value at a time, in this process: the only place that unmasks a plaintext.

The format is the Sealed Secrets controller's (its ``pkg/crypto/crypto.go`` and ``docs/developer/crypto.md``; where the
two differ, the code counts)::

    2 bytes   length L of the RSA block, big endian
    L bytes   RSA-OAEP (SHA-256, MGF1 with SHA-256) of a random 32-byte session key; its label binds the scope
    rest      AES-256-GCM of the plaintext under the session key, zero nonce, no associated data, tag at the end

and base64 around it.
The zero nonce is sound because a session key is used once.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Literal

from hanbae import errors, masking
from hanbae.sealing import ciphertexts

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.padding import OAEP
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

Scope = Literal["strict", "namespace-wide", "cluster-wide"]

_LENGTH: Final = 2
_SESSION_KEY: Final = 32
_NONCE: Final = bytes(12)


def label(scope: Scope, namespace: str, name: str) -> bytes:
    """What a value is bound to.

    Args:
        scope: ``strict`` binds namespace and name, ``namespace-wide`` the namespace, ``cluster-wide`` nothing.
        namespace: Of the Secret.
        name: Of the Secret.

    Raises:
        ValueError: A part that the scope needs is empty.
    """
    if scope == "cluster-wide":
        return b""
    if not namespace or (scope == "strict" and not name):
        message = f"a {scope} value needs the Secret's namespace and name"
        raise ValueError(message)
    return (namespace if scope == "namespace-wide" else f"{namespace}/{name}").encode()


def encrypt(plaintext: masking.Masked, key: RSAPublicKey, label: bytes) -> str:
    """A value as it stands in ``encryptedData``; different each time.

    Args:
        plaintext: The value.
        key: The controller's public key.
        label: From :func:`label`.
    """
    return Encryptor(key, label).encrypt(plaintext)


class Encryptor:
    """Seals values for one certificate and one Secret; threads may share it.

    Args:
        key: The controller's public key.
        label: From :func:`label`.
    """

    def __init__(self, key: RSAPublicKey, label: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._key, self._padding, self._cipher = key, _padding(label), AESGCM

    def encrypt(self, plaintext: masking.Masked) -> str:
        """A value as it stands in ``encryptedData``, under a session key of its own."""
        session = os.urandom(_SESSION_KEY)
        block = self._key.encrypt(session, self._padding)
        try:
            sealed = self._cipher(session).encrypt(_NONCE, plaintext.unmask(), None)
        except Exception as error:  # noqa: BLE001  a bug, but its text and its frames may hold the plaintext
            message = f"cannot encrypt: {type(error).__name__}"
            raise RuntimeError(message) from None
        return base64.b64encode(len(block).to_bytes(_LENGTH, "big") + block + sealed).decode()


def decrypt(ciphertext: str, keys: Iterable[RSAPrivateKey], label: bytes) -> masking.Masked:
    """Unseal a value with the controller's private keys, for recovery and for tests; each key is tried.

    Args:
        ciphertext: A value of ``encryptedData``.
        keys: The private keys, the newest first for speed.
        label: From :func:`label`; another scope, namespace or name than it was sealed for fails.

    Raises:
        errors.Failed: None of the keys unseals it, for this label.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        raw = ciphertexts.raw(ciphertext)
    except ValueError as error:
        raise errors.Failed("seal.not-unsealed") from error
    length = int.from_bytes(raw[:_LENGTH], "big")
    # The length is whatever the text says: a block that is cut off is one that no key opens.
    block, sealed = raw[_LENGTH : _LENGTH + length], raw[_LENGTH + length :]
    for key in keys:
        try:
            session = key.decrypt(block, _padding(label))
            return masking.Masked(AESGCM(session).decrypt(_NONCE, sealed, None))
        except (ValueError, InvalidTag):
            continue
    raise errors.Failed("seal.not-unsealed")


def _padding(label: bytes) -> OAEP:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP

    return OAEP(MGF1(hashes.SHA256()), hashes.SHA256(), label)
