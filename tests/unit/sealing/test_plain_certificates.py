"""What is read of a certificate without the library is what the library reads of it."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from hanbae import errors
from hanbae.sealing import certificates, plain_certificates


def signed(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    *,
    begins: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    ends: datetime = datetime(2036, 1, 1, 12, 30, 59, tzinfo=UTC),
    extended: bool = False,
    pss: bool = False,
) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "열쇠")] if extended else [])
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )
    if extended:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    filling = padding.PSS(padding.MGF1(hashes.SHA256()), 32) if pss else None
    certificate = builder.sign(key, hashes.SHA256(), rsa_padding=filling)
    return certificate.public_bytes(serialization.Encoding.PEM)


def by_library(pem: bytes) -> plain_certificates.Plain:
    certificate = x509.load_pem_x509_certificates(pem)[0]
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    numbers = key.public_numbers()
    return plain_certificates.Plain(
        certificate.public_bytes(serialization.Encoding.DER),
        numbers.n,
        numbers.e,
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )


@pytest.mark.parametrize(
    "make",
    [
        signed,
        lambda key: signed(key, extended=True),
        lambda key: signed(key, pss=True),
        lambda key: signed(key, ends=datetime(2050, 1, 1, tzinfo=UTC)),
        lambda key: signed(key, begins=datetime(1950, 1, 1, tzinfo=UTC)),
        lambda key: signed(key, ends=datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)),
        lambda key: signed(key).replace(b"\n", b"\r\n"),
        lambda key: b"# of dev\n" + signed(key) + b"\n\n",
    ],
    ids=["plain", "extended", "pss", "2050", "1950", "2049", "Windows lines", "comment"],
)
def test_certificate_of_the_usual_form_is_read_as_the_library_reads_it(
    make: Callable[[rsa.RSAPrivateKey], bytes], private_key: rsa.RSAPrivateKey
) -> None:
    pem = make(private_key)
    assert plain_certificates.read(pem) == by_library(pem)


def test_certificate_of_another_size_or_exponent_is_read_as_well() -> None:
    for exponent, size in ((65537, 3072), (3, 2048), (65537, 1024)):
        pem = signed(rsa.generate_private_key(exponent, size))
        assert plain_certificates.read(pem) == by_library(pem), (exponent, size)


def test_what_has_another_form_is_left_to_the_library(private_key: rsa.RSAPrivateKey) -> None:
    pem = signed(private_key)
    others = (
        b"",
        pem + pem,
        signed(ec.generate_private_key(ec.SECP256R1())),
        private_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        pem.replace(b"-----END CERTIFICATE-----", b""),
        pem.replace(b"BEGIN CERTIFICATE", b"BEGIN X509 CERTIFICATE"),
        pem + b"-" * (64 * 1024),
    )
    assert [plain_certificates.read(other) for other in others] == [None] * len(others)


def armoured(der: bytes) -> bytes:
    text = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n"


def test_no_damage_makes_another_key_or_another_time_than_the_library_reads(
    private_key: rsa.RSAPrivateKey,
) -> None:
    """Each byte of a certificate is damaged, cut and doubled: no answer, or the library's own."""
    der = by_library(signed(private_key, extended=True)).der
    chance, compared = random.Random(7), 0  # noqa: S311  no secret
    damaged = [
        der[:index] + bytes([chance.randrange(256)]) + der[index + 1 :] for index in range(len(der))
    ]
    damaged += [der[:index] + der[index + 1 :] for index in range(len(der))]
    damaged += [der[:index] + der[index : index + 1] + der[index:] for index in range(len(der))]
    damaged += [der[:index] for index in range(0, len(der), 7)]
    for broken in damaged:
        pem = armoured(broken)
        plain = plain_certificates.read(pem)
        if plain is None:
            continue
        try:
            read = by_library(pem)
        except (ValueError, x509.InvalidVersion, AssertionError):
            # The library looks at names and the rest as well, of which nothing is used here.
            continue
        assert plain == read
        compared += 1
    assert compared > 500


def test_key_that_the_library_refuses_is_refused(private_key: rsa.RSAPrivateKey) -> None:
    der = by_library(signed(private_key)).der
    with pytest.raises(errors.WrongUse, match="not-a-certificate"):
        certificates.parse(armoured(der.replace(b"\1\0\1", b"\1\0\2")), "cert.pem")


def test_certificate_is_valid_to_the_second_that_it_says(private_key: rsa.RSAPrivateKey) -> None:
    ends = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
    certificate = certificates.parse(signed(private_key, ends=ends), "cert.pem")
    certificate.check(ends)
    with pytest.raises(errors.Refused, match="certificate-expired"):
        certificate.check(ends + timedelta(seconds=1))
