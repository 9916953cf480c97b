"""What hanbae seals the real kubeseal opens, and the other way round."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from hanbae import errors, masking, wording
from hanbae.sealing import backups, certificates, ciphertexts, encrypting, foreign_secrets, objects

SCOPES: list[encrypting.Scope] = ["strict", "namespace-wide", "cluster-wide"]
SECRETS = {
    "DATABASE_URL": b"postgresql://shop:p%40ss'w\"ord@db:5432/auth",
    "BINARY": bytes(range(256)),
    "EMPTY": b"",
    "KOREAN": "비밀번호\n".encode(),
    "LONG": b"x" * 100_000,
}


class Quiet:
    """Follows the building of the binaries, which tests/run.py has shown already."""

    def started(self, component: str, estimate_s: float, remaining_s: float) -> None: ...

    def finished(self, component: str, seconds: float, *, cached: bool) -> None: ...

    def note(self, text: wording.Text) -> None: ...


@pytest.fixture(scope="module")
def kubeseal() -> str:
    program = shutil.which("kubeseal")
    if program is None:
        from hanbae.sandbox import binaries

        program = str(binaries.obtain(progress=Quiet()).path("kubeseal"))
    return program


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 4096)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, key: rsa.RSAPrivateKey) -> Path:
    """The controller's key and certificate as files."""
    folder = tmp_path_factory.mktemp("controller")
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    begins, name = datetime.now(UTC) - timedelta(hours=1), x509.Name([])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return folder


@pytest.mark.parametrize("scope", SCOPES)
def test_kubeseal_opens_what_hanbae_seals(
    kubeseal: str, folder: Path, scope: encrypting.Scope
) -> None:
    certificate = certificates.parse((folder / "cert.pem").read_bytes(), "cert.pem")
    label = encrypting.label(scope, "services-dev", "auth-secrets")
    encrypted = {
        name: encrypting.encrypt(masking.Masked(value), certificate.public_key, label)
        for name, value in SECRETS.items()
    }
    sealed = objects.least("services-dev", "auth-secrets", scope, encrypted)
    ended = subprocess.run(
        [kubeseal, "--recovery-unseal", "--recovery-private-key", str(folder / "key.pem")],
        input=json.dumps(sealed).encode(),
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    opened = json.loads(ended.stdout)
    assert opened["metadata"]["name"] == "auth-secrets"
    assert {k: base64.b64decode(v or "") for k, v in opened["data"].items()} == SECRETS


@pytest.mark.parametrize(
    ("spelled", "opens"),
    [
        (lambda text: "\n".join(textwrap.wrap(text, 64)) + "\n", True),
        (lambda text: "\r\n".join(textwrap.wrap(text, 64)), True),
        (lambda text: " ".join(textwrap.wrap(text, 64)), False),
        (lambda text: text.rstrip("="), False),
    ],
    ids=["lines", "Windows lines", "spaces", "without padding"],
)
def test_value_opens_for_hanbae_however_it_is_spelled_as_for_kubeseal(
    kubeseal: str,
    folder: Path,
    key: rsa.RSAPrivateKey,
    spelled: Callable[[str], str],
    opens: bool,
) -> None:
    certificate = certificates.parse((folder / "cert.pem").read_bytes(), "cert.pem")
    label = encrypting.label("strict", "services-dev", "auth-secrets")
    value = spelled(encrypting.encrypt(masking.Masked(b"value"), certificate.public_key, label))
    ended = subprocess.run(
        [kubeseal, "--recovery-unseal", "--recovery-private-key", str(folder / "key.pem")],
        input=json.dumps(objects.least("services-dev", "auth-secrets", "strict", {"A": value})),
        text=True,
        capture_output=True,
        check=False,
    )
    assert (ended.returncode == 0) is opens, ended.stderr
    if opens:
        assert encrypting.decrypt(value, [key], label).unmask() == b"value"
        assert ciphertexts.shape(value) == ciphertexts.Shape(4096, 5)
    else:
        with pytest.raises(errors.Failed):
            encrypting.decrypt(value, [key], label)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("name", [name for name in SECRETS if name != "EMPTY"])
def test_hanbae_opens_what_kubeseal_seals(
    kubeseal: str, folder: Path, key: rsa.RSAPrivateKey, scope: encrypting.Scope, name: str
) -> None:
    words = [kubeseal, "--raw", "--cert", str(folder / "cert.pem"), "--scope", scope]
    words += ["--namespace", "services-dev", "--name", "auth-secrets"]
    ended = subprocess.run(words, input=SECRETS[name], capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr.decode()
    sealed = ended.stdout.decode()
    label = encrypting.label(scope, "services-dev", "auth-secrets")
    assert encrypting.decrypt(sealed, [key], label).unmask() == SECRETS[name]
    assert ciphertexts.shape(sealed) == ciphertexts.Shape(4096, len(SECRETS[name]))


@pytest.mark.parametrize("form", ["yaml", "json"])
@pytest.mark.parametrize("scope", SCOPES)
def test_hanbae_takes_over_what_kubeseal_writes(
    kubeseal: str, folder: Path, scope: encrypting.Scope, form: str
) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "auth-secrets", "namespace": "services-dev"},
        "data": {name: base64.b64encode(value).decode() for name, value in SECRETS.items()},
    }
    words = [kubeseal, "--cert", str(folder / "cert.pem"), "--scope", scope, "--format", form]
    ended = subprocess.run(
        words, input=json.dumps(secret).encode(), capture_output=True, check=True
    )
    foreign = foreign_secrets.parse(ended.stdout, "sealed-secret.yaml")
    assert (foreign.namespace, foreign.name, foreign.scope) == (
        "services-dev",
        "auth-secrets",
        scope,
    )
    pem = (folder / "key.pem").read_bytes() + (folder / "cert.pem").read_bytes()
    keys = backups.parse(pem, "key.pem")
    assert [key.fingerprint for key in keys] == [
        certificates.parse((folder / "cert.pem").read_bytes(), "cert.pem").fingerprint
    ]
    plaintexts = {}
    for name, text in foreign.values.items():
        opened = backups.open_value(text, keys, foreign.label)
        assert opened is not None
        plaintexts[name] = opened.plaintext.unmask()
    assert plaintexts == SECRETS
    other = next(other for other in SCOPES if other != scope)
    label = encrypting.label(other, "services-dev", "auth-secrets")
    assert backups.open_value(foreign.values["KOREAN"], keys, label) is None
    actual = backups.other_scope(
        foreign.values["KOREAN"], keys, "services-dev", "auth-secrets", other
    )
    assert actual == scope
