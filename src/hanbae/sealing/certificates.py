"""The controller's certificate: what a value is sealed for.

A value that is sealed for another cluster's key fails only when it is deployed, and nothing in the ciphertext says
whose it is.
So the certificate is checked before it is used as kubeseal does (first certificate of the file, RSA, not expired), and
its fingerprint is remembered beside the values that were sealed with it.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from hanbae import errors
from hanbae.sealing import plain_certificates

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

SMALLEST_KEY: Final = 2048
"""Bits; the controller's own default is 4096."""


@dataclass(frozen=True)
class Certificate:
    """A certificate that values can be sealed with. Made by :func:`parse`.

    Attributes:
        public_key: Its RSA key.
        fingerprint: ``sha256:`` and the hexadecimal SHA-256 of its DER form, as ``openssl x509 -fingerprint -sha256``
            shows it with colons.
        not_after: When it expires. The controller still unseals what was sealed with it before.
        not_before: From when on it is valid; the controller's newest key is the one with the latest.
    """

    public_key: RSAPublicKey = field(repr=False)
    fingerprint: str
    not_after: datetime
    not_before: datetime

    def check(self, now: datetime) -> None:
        """Refuse an expired certificate, as kubeseal does; one that is not valid yet passes, clocks differ.

        Args:
            now: The time, with its zone.

        Raises:
            errors.Refused: It has expired.
        """
        if now > self.not_after:
            raise errors.Refused(
                "seal.certificate-expired",
                date=self.not_after.date().isoformat(),
                fingerprint=self.fingerprint,
            )


def parse(pem: bytes, source: str) -> Certificate:
    """The first certificate of a PEM text.

    Args:
        pem: The text; UTF-16 as well, which is what PowerShell's ``>`` writes.
        source: Where it came from, for errors.

    Raises:
        errors.WrongUse: There is none in it, or its key is not RSA or too short.
    """
    try:
        text = _utf8(pem)
        plain = plain_certificates.read(text)
        certificate = _of_plain(plain) if plain is not None else _by_library(text, source)
    except (ValueError, IndexError, TypeError) as error:
        raise errors.WrongUse("seal.not-a-certificate", source=source) from error
    if certificate.public_key.key_size < SMALLEST_KEY:
        bits = str(certificate.public_key.key_size)
        raise errors.WrongUse("seal.key-too-short", source=source, bits=bits)
    return certificate


def _of_plain(plain: plain_certificates.Plain) -> Certificate:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.RSAPublicNumbers(plain.exponent, plain.modulus).public_key()
    hashed = hashes.Hash(hashes.SHA256())
    hashed.update(plain.der)
    digest = hashed.finalize().hex()
    return Certificate(key, f"sha256:{digest}", plain.not_after, plain.not_before)


def _by_library(pem: bytes, source: str) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa

    try:
        certificate = x509.load_pem_x509_certificates(pem)[0]
        key = certificate.public_key()
    except Exception as error:  # cryptography's own UnsupportedAlgorithm, for exotic keys
        if type(error).__module__.partition(".")[0] != "cryptography":
            raise
        raise errors.WrongUse("seal.not-a-certificate", source=source) from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise errors.WrongUse("seal.not-rsa", source=source)
    digest = certificate.fingerprint(hashes.SHA256()).hex()
    return Certificate(
        key,
        f"sha256:{digest}",
        certificate.not_valid_after_utc.astimezone(UTC),
        certificate.not_valid_before_utc.astimezone(UTC),
    )


def _utf8(pem: bytes) -> bytes:
    if pem.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return pem.decode("utf-16").encode()
    return pem.removeprefix(codecs.BOM_UTF8)
