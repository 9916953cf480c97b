"""What hanbae seals the real kubeseal opens, and the other way round."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from hanbae import masking, wording
from hanbae.sealing import certificates, encrypting, manifests

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
    annotations = {} if scope == "strict" else {f"sealedsecrets.bitnami.com/{scope}": "true"}
    metadata = {"name": "auth-secrets", "namespace": "services-dev", "annotations": annotations}
    sealed = {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": metadata,
        "spec": {
            "encryptedData": {
                name: encrypting.encrypt(masking.Masked(value), certificate.public_key, label)
                for name, value in SECRETS.items()
            },
            "template": {"metadata": metadata, "type": "Opaque"},
        },
    }
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
    assert manifests.shape(sealed) == manifests.Shape(4096, len(SECRETS[name]))
