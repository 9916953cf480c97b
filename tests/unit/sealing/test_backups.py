"""Keys of the controller, as somebody has saved their Secrets."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from hanbae import errors
from hanbae.sealing import backups


def secret(private_key: rsa.RSAPrivateKey, certificate: bytes | None) -> bytes:
    pem = private_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    data = {"tls.key": base64.b64encode(pem).decode()}
    if certificate is not None:
        data["tls.crt"] = base64.b64encode(certificate).decode()
    return json.dumps({"metadata": {"name": "sealed-secrets-key1"}, "data": data}).encode()


def test_a_secret_without_a_certificate_is_a_key_without_one(
    private_key: rsa.RSAPrivateKey, certificate_pem: bytes
) -> None:
    (whole,) = backups.parse(secret(private_key, certificate_pem), "keys.yaml")
    (alone,) = backups.parse(secret(private_key, None), "keys.yaml")
    assert (whole.certificate is not None, alone.certificate) == (True, None)
    assert alone.name == "sealed-secrets-key1"


def test_a_certificate_that_cannot_be_used_is_named_with_its_secret(
    private_key: rsa.RSAPrivateKey,
) -> None:
    with pytest.raises(errors.FileFault) as caught:
        backups.parse(secret(private_key, b"no certificate"), "keys.yaml")
    assert caught.value.text.id == "backup.not-a-key"
    assert caught.value.text.facts["secret"] == "sealed-secrets-key1"
