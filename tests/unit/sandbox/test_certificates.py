from __future__ import annotations

import base64
import contextlib
import json
import ssl
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from hanbae.sandbox import certificates, folders, identities, probing


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> folders.Folder:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = folders.of("demo")
    folder.make()
    certificates.make(folder, identities.derive(folder.root, ()))
    return folder


def read(folder: folders.Folder, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder.pki / f"{name}.crt").read_bytes())


def test_the_api_servers_certificate_names_everything_that_it_is_called(
    folder: folders.Folder,
) -> None:
    identity = identities.derive(folder.root, ())
    names = read(folder, "apiserver").extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert ip_address(identity.inner) in names.value.get_values_for_type(x509.IPAddress)
    assert ip_address("10.96.0.1") in names.value.get_values_for_type(x509.IPAddress)
    assert "kubernetes.default.svc" in names.value.get_values_for_type(x509.DNSName)


def test_every_certificate_is_issued_by_the_sandboxes_own_authority(folder: folders.Folder) -> None:
    authority = read(folder, "ca")
    for name in ("apiserver", "kubelet", "admin", "argocd", "kube-proxy"):
        certificate = read(folder, name)
        certificate.verify_directly_issued_by(authority)
        assert certificate.issuer == authority.subject


@pytest.mark.parametrize("user", ["kubelet", "admin"])
def test_openssl_accepts_the_chains_and_the_keys_fit(folder: folders.Folder, user: str) -> None:
    """A user's connection to the API server, each of them asking for the other's certificate.

    Both are as strict as Python is by default from 3.13 on.
    """
    authority = str(folder.pki / "ca.crt")
    client = ssl.create_default_context(cafile=authority)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority)
    server.verify_mode = ssl.CERT_REQUIRED
    for context, name in ((client, user), (server, "apiserver")):
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        context.load_cert_chain(folder.pki / f"{name}.crt", folder.pki / f"{name}.key")
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(back, there, server_hostname="kubernetes.default.svc"),
        server.wrap_bio(there, back, server_side=True),
    ]
    for _ in range(3):  # what one end wants to read is written by the other
        for end in ends:
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    of_server, of_user = (end.getpeercert(binary_form=True) for end in ends)
    assert of_server == read(folder, "apiserver").public_bytes(serialization.Encoding.DER)
    assert of_user == read(folder, user).public_bytes(serialization.Encoding.DER)


def test_api_server_of_a_sandbox_from_before_is_asked_whatever_python_is_strict_about(
    folder: folders.Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their certificates do not name the issuer's key, which Python wants by default from 3.13 on."""
    default = ssl.create_default_context

    def strict(*args: Any, **options: Any) -> ssl.SSLContext:
        context = default(*args, **options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    context = probing._context(folder.pki)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT


def test_the_kubelets_identity_is_the_one_that_the_node_authorizer_wants(
    folder: folders.Folder,
) -> None:
    subject = read(folder, "kubelet").subject.rfc4514_string()
    assert subject == "CN=system:node:hanbae-demo,O=system:nodes"


def test_a_kubeconfig_stands_alone_and_only_its_owner_can_read_it(folder: folders.Folder) -> None:
    config = json.loads(folder.kubeconfig.read_text())
    assert config["current-context"] == "hanbae-demo"
    assert base64.b64decode(config["users"][0]["user"]["client-key-data"]).startswith(b"-----BEGIN")
    assert folder.kubeconfig.stat().st_mode & 0o777 == 0o600


def test_made_again_nothing_changes(folder: folders.Folder) -> None:
    before = {path: path.read_bytes() for path in folder.pki.iterdir()}
    certificates.make(folder, identities.derive(folder.root, ()))
    assert {path: path.read_bytes() for path in folder.pki.iterdir()} == before


def test_an_interrupted_making_is_done_again_as_a_whole(folder: folders.Folder) -> None:
    (folder.pki / "complete").unlink()
    before = read(folder, "ca")
    certificates.make(folder, identities.derive(folder.root, ()))
    assert read(folder, "ca") != before
    read(folder, "apiserver").verify_directly_issued_by(read(folder, "ca"))


def test_the_first_sealing_key_is_made_once_and_is_what_the_controller_would_make(
    folder: folders.Folder,
) -> None:
    assert certificates.sealing(folder)
    assert not certificates.sealing(folder)
    pem = (folder.pki / "sealing.key").read_bytes()
    key = serialization.load_pem_private_key(pem, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 4096
    assert read(folder, "sealing").public_key() == key.public_key()
