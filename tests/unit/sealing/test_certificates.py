from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from hanbae import errors
from hanbae.sealing import certificates


def signed(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, *, days: float = 3650) -> bytes:
    begins = datetime.now(UTC) - timedelta(days=1)
    name = x509.Name([])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def test_fingerprint_is_that_of_the_der_form(certificate_pem: bytes) -> None:
    der = x509.load_pem_x509_certificate(certificate_pem)
    certificate = certificates.parse(certificate_pem, "cert.pem")
    assert certificate.fingerprint == "sha256:" + der.fingerprint(hashes.SHA256()).hex()
    assert certificate.not_after == der.not_valid_after_utc


@pytest.mark.parametrize(
    "spelled",
    [
        lambda pem: pem.decode().encode("utf-16"),
        lambda pem: b"\xef\xbb\xbf" + pem,
        lambda pem: pem.replace(b"\n", b"\r\n"),
        lambda pem: b"# the certificate of dev\n" + pem + pem,
    ],
    ids=["utf-16 of PowerShell", "byte order mark", "Windows lines", "comment, twice"],
)
def test_certificate_is_read_however_it_was_saved(
    certificate_pem: bytes, spelled: Callable[[bytes], bytes]
) -> None:
    expected = certificates.parse(certificate_pem, "cert.pem").fingerprint
    assert certificates.parse(spelled(certificate_pem), "cert.pem").fingerprint == expected


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"<html>404 page not found</html>",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ed25519.Ed25519PrivateKey.generate()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        signed(ec.generate_private_key(ec.SECP256R1())),
        signed(rsa.generate_private_key(65537, 1024)),  # noqa: S505
    ],
    ids=["empty", "html", "not DER", "a public key", "elliptic", "1024 bits"],
)
def test_what_cannot_seal_is_wrong_use_and_says_where_it_came_from(pem: bytes) -> None:
    with pytest.raises(errors.WrongUse) as caught:
        certificates.parse(pem, "cert.pem")
    assert caught.value.text.facts["source"] == "cert.pem"


def test_expired_certificate_is_refused_and_one_of_tomorrow_is_not(
    private_key: rsa.RSAPrivateKey,
) -> None:
    certificate = certificates.parse(signed(private_key, days=30), "cert.pem")
    now = datetime.now(UTC)
    certificate.check(now)
    certificate.check(now - timedelta(days=60))
    with pytest.raises(errors.Refused, match="certificate-expired"):
        certificate.check(now + timedelta(days=60))
