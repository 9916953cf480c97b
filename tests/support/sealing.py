"""Keys and certificates of a Sealed Secrets controller, and what its private key opens."""

from __future__ import annotations

import base64
import functools
import ipaddress
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from hanbae.sealing import encrypting


def key(name: str = "newest") -> rsa.RSAPrivateKey:
    """A private key, smaller than those that controllers make; the same one whenever a process names it.

    Making one takes a twentieth of a second, and dozens of modules need one when they are imported.
    """
    return _of_name(name)


@functools.cache
def authority() -> str:
    """A certificate authority as a kubeconfig has it, for API servers whose certificates nobody shows."""
    return base64.b64encode(certificate(key("authority"))).decode()


@functools.cache
def _of_name(name: str) -> rsa.RSAPrivateKey:
    del name  # only tells one key from another
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(
    private: rsa.RSAPrivateKey, *, name: str = "sealed-secrets", address: str = ""
) -> bytes:
    """The certificate of a key as the controller serves it, PEM, valid from yesterday on.

    Args:
        private: The key.
        name: Its subject.
        address: An IP address that it is for, so that a TLS server can use it; empty for none.
    """
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
    )
    if address:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = builder.add_extension(names, critical=False).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
    signed = builder.sign(private, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def pem(private: rsa.RSAPrivateKey) -> bytes:
    """A private key as a backup has it."""
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def unsealed(ciphertext: str, private: rsa.RSAPrivateKey, label: str) -> bytes:
    """The plaintext of a sealed value.

    Raises:
        hanbae.errors.Failed: The key does not open it.
    """
    return encrypting.decrypt(ciphertext, [private], label.encode()).unmask()
