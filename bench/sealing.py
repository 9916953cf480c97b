"""Sealing a thousand values: hanbae against a loop of kubeseal, and against one kubeseal over one Secret."""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.rows import Row
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

VALUES = 1000
LOOP = 20
"""Calls of kubeseal that are measured; a loop of a thousand is as many times that."""
RUNS = 5


def seal() -> list[Row]:
    """The figures."""
    with tempfile.TemporaryDirectory() as name:
        return _seal(Path(name))


def _seal(folder: Path) -> list[Row]:
    from hanbae.actions import init, new_service

    root = folder / "shop"
    root.mkdir()
    init.init(root, repository="https://git.example.com/shop.git", one_cluster=True)
    new_service.new_service(root, "auth")
    certificate = folder / "certificate.pem"
    certificate.write_bytes(_certificate())
    values = {f"KEY_{number:04}": secrets.token_hex(20) for number in range(VALUES)}
    (folder / "auth.env").write_text("".join(f"{key}={value}\n" for key, value in values.items()))
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    metadata = {"name": "auth-secrets", "namespace": "services-dev"}
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
    kubeseal = [_program(), "--cert", str(certificate)]
    hanbae = [str(Path(sys.executable).with_name("hanbae")), "-C", str(root), "secrets", "seal"]
    ours = [*hanbae, "auth", "--env", "dev", "--certificate", str(certificate)]
    ours += ["--from-env-file", str(folder / "auth.env")]
    single = [*kubeseal, "--raw", "--namespace", "services-dev", "--name", "auth-secrets"]
    seconds: dict[str, list[float]] = {"ours": [], "once": [], "each": []}
    for _ in range(RUNS):
        seconds["ours"].append(_seconds(ours))
        seconds["once"].append(_seconds(kubeseal, json.dumps(manifest).encode()))
    for _ in range(LOOP):
        seconds["each"].append(_seconds(single, b"value"))
    median = {name: statistics.median(figures) for name, figures in seconds.items()}
    task = f"seal {VALUES} values"
    return [
        Row(f"{task} \\| loop of kubeseal", median["ours"], median["each"] * VALUES, "50 x", RUNS),
        Row(f"{task} \\| kubeseal once", median["ours"], median["once"], "1 x", RUNS),
    ]


def _seconds(command: list[str], stdin: bytes = b"") -> float:
    began = time.perf_counter()
    subprocess.run(command, input=stdin, check=True, capture_output=True)
    return time.perf_counter() - began


def _program() -> str:
    from hanbae.sandbox import binaries, running

    return shutil.which("kubeseal") or str(
        binaries.obtain(progress=running.Silent()).path("kubeseal")
    )


def _certificate() -> bytes:
    key, name = rsa.generate_private_key(65537, 4096), x509.Name([])
    begins = datetime.now(UTC) - timedelta(hours=1)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return signed.public_bytes(serialization.Encoding.PEM)
