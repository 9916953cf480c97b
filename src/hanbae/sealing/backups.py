"""Reads a backup of the controller's keys: what ``kubectl get secret … -o yaml`` saved, or the keys as PEM.

They open every value of the environment, so they stay in memory, and no error holds anything of the file but its name
and the names of the Secrets in it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from hanbae import errors, libyaml, masking, subjects
from hanbae.sealing import certificates, encrypting, objects

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

LARGEST: Final = 16 * 1024**2
"""Bytes; a key with its certificate has about 8 KiB, and years of them are some hundred."""
_PEM: Final = b"-----BEGIN "
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)


class Key:
    """A key of the controller.

    Attributes:
        name: The Secret that it was in; empty for a key that stood alone.
        private: It opens what was sealed with its certificate.
        certificate: Its certificate; None where the backup has only the key.
        begins: From when on the certificate is valid: the controller seals with the key that has the latest.
    """

    def __init__(
        self, name: str, private: RSAPrivateKey, certificate: certificates.Certificate | None
    ) -> None:
        self.name = name
        self.private = private
        self.certificate = certificate
        self.begins = certificate.not_before if certificate else _EARLIEST

    @property
    def fingerprint(self) -> str:
        """Of its certificate; empty where there is none."""
        return self.certificate.fingerprint if self.certificate else ""


class Opened(Struct, frozen=True):
    """A value that a key opens.

    Attributes:
        plaintext: The value.
        key: The key.
    """

    plaintext: masking.Masked
    key: Key


def parse(data: bytes, source: str) -> tuple[Key, ...]:
    """The keys of a backup, the newest first.

    Args:
        data: A Secret, a List of them or several documents, as YAML or JSON; or private keys as PEM.
        source: What errors call the file.

    Raises:
        errors.FileFault: It cannot be read, there is no key in it, or one of them cannot be used.
    """
    if data.lstrip().startswith(_PEM):
        keys = list(_of_pem(data, source))
    else:
        keys = [_of_secret(secret, source) for secret in _secrets(data, source)]
    if not keys:
        raise errors.FileFault("backup.no-keys", place=subjects.Place(source))
    return tuple(sorted(keys, key=lambda key: key.begins, reverse=True))


def open_value(
    ciphertext: str, keys: Sequence[Key], label: bytes, *, likely: str = ""
) -> Opened | None:
    """A value with the key that opens it; None where none does.

    Args:
        ciphertext: A value of ``encryptedData``.
        keys: The keys.
        label: From :func:`hanbae.sealing.encrypting.label`.
        likely: Fingerprint of the certificate that it was sealed with, as somebody remembers it: that key is tried
            first.
    """
    for key in sorted(keys, key=lambda key: key.fingerprint != likely):
        try:
            return Opened(encrypting.decrypt(ciphertext, [key.private], label), key)
        except errors.Failed:
            continue
    return None


def other_scope(
    ciphertext: str, keys: Sequence[Key], namespace: str, name: str, scope: encrypting.Scope
) -> encrypting.Scope | None:
    """The scope for which a value opens, though not for the one that it should be; None where it never does."""
    for other in objects.SCOPES:
        label = encrypting.label(other, namespace, name)
        if other != scope and open_value(ciphertext, keys, label) is not None:
            return other
    return None


def _secrets(data: bytes, source: str) -> Iterator[Mapping[str, Any]]:
    try:
        documents = list(libyaml.load_all(data))
    except libyaml.Fault as fault:
        place = subjects.Place(source, fault.line, fault.column)
        # Not chained: the parser's words quote the file.
        raise errors.FileFault("backup.unreadable", place=place) from None
    for document in documents:
        items = document.get("items") if isinstance(document, dict) else None
        for item in items if isinstance(items, list) else [document]:
            content = item.get("data") if isinstance(item, dict) else None
            if isinstance(content, dict) and "tls.key" in content:
                yield item


def _of_secret(secret: Mapping[str, Any], source: str) -> Key:
    metadata = secret.get("metadata")
    name = str(metadata.get("name") or "") if isinstance(metadata, dict) else ""
    try:
        key, certificate = (
            base64.b64decode(str(secret["data"].get(part) or ""), validate=True)
            for part in ("tls.key", "tls.crt")
        )
    except (binascii.Error, ValueError):
        raise _unusable(source, name) from None
    private = _private(key, source, name)
    try:
        signed = certificates.parse(certificate, source) if certificate else None
    except errors.WrongUse:
        raise _unusable(source, name) from None
    return Key(name, private, signed)


def _of_pem(data: bytes, source: str) -> Iterator[Key]:
    """Private keys one after the other; a certificate belongs to the key of which it has the public part."""
    sections = [_PEM + text for text in data.split(_PEM)[1:]]
    private = [text for text in sections if b"PRIVATE KEY-----" in text[:60]]
    try:
        signed = [
            certificates.parse(text, source)
            for text in sections
            if text.startswith(b"-----BEGIN CERTIFICATE-----")
        ]
    except errors.WrongUse:
        raise _unusable(source, "") from None
    by_number = {item.public_key.public_numbers(): item for item in signed}
    for text in private:
        key = _private(text, source, "")
        yield Key("", key, by_number.get(key.public_key().public_numbers()))


def _private(pem: bytes, source: str, name: str) -> RSAPrivateKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except Exception as error:  # the library's kinds are many, and its texts may hold the key
        if (
            not isinstance(error, ValueError | TypeError)
            and "cryptography" not in type(error).__module__
        ):
            raise
        raise _unusable(source, name) from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _unusable(source, name)
    return key


def _unusable(source: str, name: str) -> errors.FileFault:
    return errors.FileFault("backup.not-a-key", place=subjects.Place(source), secret=name or "-")
