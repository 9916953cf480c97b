"""Secrets from files that somebody has got wrong: said with the line, nothing lost, nothing told."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support import sealing

from hanbae.actions import init, new_service
from hanbae.charts import values
from hanbae.cli import main, secret_inputs

KEY = sealing.key()
NEWLINE = "\n"
LABEL = "services-dev/auth-secrets"
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: auth}\n"
SOPS = "ENC[AES256_GCM,data:c4n4ry,iv:aaaa,tag:bbbb,type:str]"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "shop"
    root.mkdir()
    init.init(root, repository="https://git.example.com/shop.git", one_cluster=True)
    new_service.new_service(root, "auth")
    (tmp_path / "dev.pem").write_bytes(sealing.certificate(KEY))
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def run(shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main.run(["--lang", "en", "secrets", *arguments])
        captured = capsys.readouterr()
        output = " ".join((captured.out + captured.err).split())
        assert "c4n4ry" not in output
        assert base64.b64encode(b"c4n4ry").decode() not in output
        return code, captured.out, " ".join(captured.err.split())

    return run


def path(shop: Path) -> Path:
    return shop / "services/auth/helm/values-dev.yaml"


def opened(shop: Path) -> dict[str, bytes]:
    data = values.read(path(shop), "v").get(("sealedSecret", "encryptedData")) or {}
    return {key: sealing.unsealed(text, KEY, LABEL) for key, text in data.items()}


SEAL = ("seal", "auth", "--env", "dev", "--certificate", "../dev.pem")
SOPS_IMPORT = ("import", "auth", "--env", "dev", "--from-sops", "--certificate", "../dev.pem")


def assert_refused_at(place: str, shop: Path, run: Run, option: str, content: bytes) -> None:
    """A file's fault is named by its line, and nothing is sealed of the file."""
    Path("x").write_bytes(content)
    before = path(shop).read_bytes()
    code, out, err = run(*SEAL, option, "x")
    assert code == 2, err
    assert err.startswith(f"error: {place}: "), err
    assert out == ""
    assert path(shop).read_bytes() == before


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"OK=1\nA=c4n4ry\0\n", "x:2"),
        (b"OK=1\n\nA='c4n4ry\xff'\n", "x:3"),
        (b"OK=1\nA=\n", "x:2"),
        (b"OK=1\nA=" + b"c4n4ry" * 30_000 + b"\n", "x:2"),
        (b"A=c4n4ry\rB=c4n4ry\r", "x:1"),
        (b"OK=1\n#\nA=" + SOPS.encode() + b"\n", "x:3"),
        (b"A=1\nA=c4n4ry\n", "x:2"),
        (b"A=" + b"x" * 1024 * 1024, "x"),
        ("A=c4n4ry\n".encode("utf-16"), "x:1"),
    ],
    ids=[
        "NUL",
        "not UTF-8",
        "empty",
        "long",
        "ends of old Macs",
        "SOPS",
        "twice",
        "large",
        "UTF-16",
    ],
)
def test_line_of_an_env_file_that_cannot_be_sealed_is_named(
    shop: Path, run: Run, content: bytes, place: str
) -> None:
    assert_refused_at(place, shop, run, "--from-env-file", content)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (f"{SECRET}data:\n  OK: eA==\n  A: c4n4ry!\n".encode(), "x:6"),
        (f"{SECRET}stringData:\n  OK: x\n  A: 5432\n".encode(), "x:6"),
        (f"{SECRET}stringData:\n  'A B': c4n4ry\n".encode(), "x:5"),
        (f"{SECRET}stringData:\n  A: {{b: c4n4ry}}\n".encode(), "x:5"),
        (f"{SECRET}stringData:\n  A: c4n4ry".encode() + b"\xff\n", "x:5"),
        (f"{SECRET}stringData:\n  A: 1\n  A: c4n4ry\n".encode(), "x:6:3"),
        (f"{SECRET}stringData:\n  A: 'c4n4ry\n".encode(), "x:6:1"),
        (f"{SECRET}stringData:\n  OK: x\n  A: ''\n".encode(), "x:6"),
        (f"{SECRET}data:\n  A: eA==\nstringData:\n  A: ''\n".encode(), "x:7"),
        (f"{SECRET}stringData:\n  OK: x\n  A: '{SOPS}'\n".encode(), "x:6"),
        (f"{SECRET}stringData:\n  OK: x\n  A: null\n".encode(), "x:6"),
        (f"{SECRET}data: [c4n4ry]\n".encode(), "x:4"),
    ],
    ids=[
        "no base64",
        "a number",
        "no key",
        "a mapping",
        "not UTF-8",
        "twice",
        "not closed",
        "empty",
        "empty, which wins",
        "SOPS",
        "null",
        "no mapping of values",
    ],
)
def test_line_of_a_manifest_that_cannot_be_sealed_is_named(
    shop: Path, run: Run, content: bytes, place: str
) -> None:
    assert_refused_at(place, shop, run, "--from-manifest", content)


def test_value_that_sops_has_encrypted_is_refused_wherever_it_comes_from(
    shop: Path, run: Run
) -> None:
    before = path(shop).read_bytes()
    Path("x").write_text(f"{SECRET}stringData:\n  A: '{SOPS}'\nsops: {{version: 3.9.0}}\n")
    Path("y").write_text(SOPS + "\n")
    for words, stdin in (
        (("--from-manifest", "x"), b""),
        (("--from-file", "A=y"), b""),
        (("A", "--stdin"), SOPS.encode()),
    ):
        code, _, err = run(*SEAL, *words, stdin=stdin)
        assert code == 2
        assert "The value of A is still encrypted by SOPS" in err
    assert path(shop).read_bytes() == before


@pytest.mark.parametrize(
    ("words", "stdin", "place"),
    [
        (SOPS_IMPORT, f"OK: x\nA: {SOPS}\n", "-:2"),
        ((*SEAL, "--stdin"), f"OK=x\n#\nA='{SOPS}'\n", "-:3"),
        ((*SEAL, "--stdin"), "OK=x\nA=\n", "-:2"),
    ],
)
def test_line_of_standard_input_that_cannot_be_sealed_is_named(
    shop: Path, run: Run, words: tuple[str, ...], stdin: str, place: str
) -> None:
    before = path(shop).read_bytes()
    code, _, err = run(*words, stdin=stdin.encode())
    assert code == 2, err
    assert err.startswith(f"error: {place}: "), err
    assert path(shop).read_bytes() == before


@pytest.mark.parametrize("nothing", ["OK: x\nA:", "A: ~", "OK: x\nA: null", '{"A": null}'])
def test_nothing_is_no_text(shop: Path, run: Run, nothing: str) -> None:
    before = path(shop).read_bytes()
    code, _, err = run(*SOPS_IMPORT, stdin=nothing.encode())
    assert code == 2, err
    assert err.startswith(f"error: -:{nothing.count(NEWLINE) + 1}: "), err
    assert "A has no value (null)" in err
    assert path(shop).read_bytes() == before
    assert run(*SOPS_IMPORT, stdin=b'A: ""\nB: "null"\n')[0] == 0
    assert opened(shop) == {"A": b"", "B": b"null"}


def test_line_of_a_sealed_value_that_is_none_is_named(shop: Path, run: Run) -> None:
    sealed = {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": {"name": "auth-secrets", "namespace": "services-dev"},
        "spec": {"encryptedData": {"A": "c4n4ry"}},
    }
    Path("x").write_text(json.dumps(sealed, indent=1))
    code, _, err = run("import", "auth", "x", "--env", "dev", "--sealed-with", "../dev.pem")
    assert code == 2
    assert err.startswith("error: x:10: A: this is not a sealed value"), err


def test_mark_that_powershell_puts_before_a_value_is_taken_off(shop: Path, run: Run) -> None:
    code, _, err = run(*SEAL, "A", "--stdin", stdin=b"\xef\xbb\xbfc4n4ry\r\n")
    assert code == 0, err
    assert "byte order mark at the beginning of the value of A was taken off" in err
    assert opened(shop) == {"A": b"c4n4ry"}


@pytest.mark.parametrize("option", ["--from-env-file", "--from-file", "--certificate"])
def test_pipe_that_nobody_writes_to_is_not_waited_for_for_ever(
    shop: Path, run: Run, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setattr(secret_inputs, "SECONDS_FOR_WRITER", 0.2)
    os.mkfifo("pipe")
    words = {"--from-file": ("A=pipe",), "--certificate": ("pipe", "A", "--stdin")}
    code, _, err = run(*SEAL[:4], option, *words.get(option, ("pipe",)), stdin=b"c4n4ry")
    assert code == 2
    assert "pipe: Nobody writes to this pipe." in err


def test_pipe_is_waited_for_as_long_as_somebody_has_it_open(
    shop: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secret_inputs, "SECONDS_FOR_WRITER", 0.05)
    os.mkfifo("pipe")
    typing = threading.Event()

    def write() -> None:
        with Path("pipe").open("wb") as pipe:
            typing.wait(0.3)  # a passphrase is typed meanwhile
            pipe.write(b"A=c4n4ry\n")

    # Opened for both, so that its writer need not wait for whoever reads.
    held = os.open("pipe", os.O_RDWR)
    writer = threading.Thread(target=write)
    writer.start()
    threading.Timer(0.15, os.close, [held]).start()
    code, _, err = run(*SEAL, "--from-env-file", "pipe")
    writer.join()
    assert code == 0, err
    assert opened(shop) == {"A": b"c4n4ry"}


def test_line_of_a_values_file_that_is_no_text_is_named(shop: Path, run: Run) -> None:
    text = path(shop).read_bytes()
    lines = text.count(b"\n")
    for broken in (b"# \xff\n", b"# \0\n"):
        path(shop).write_bytes(text + broken)
        code, _, err = run(*SEAL, "A", "--stdin", stdin=b"c4n4ry")
        assert code == 2
        assert err.startswith(f"error: services/auth/helm/values-dev.yaml:{lines + 1}: "), err
        assert path(shop).read_bytes() == text + broken


def test_file_is_the_former_or_the_new_one_whenever_sealing_is_killed(shop: Path) -> None:
    Path("many").write_text("".join(f"K{number}=c4n4ry{number}\n" for number in range(200)))
    command = [sys.executable, "-m", "hanbae", "secrets", *SEAL, "--from-env-file", "many"]
    before = path(shop).read_bytes()
    began = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    took = time.monotonic() - began
    whole = values.read(path(shop), "v").get(("sealedSecret", "encryptedData"))
    assert len(whole) == 200
    for part in (0.3, 0.6, 0.8, 0.9, 1.0):
        path(shop).write_bytes(before)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(took * part)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        if path(shop).read_bytes() != before:
            data = values.read(path(shop), "v").get(("sealedSecret", "encryptedData"))
            assert data.keys() == whole.keys()
    left = [file.read_bytes() for file in shop.rglob("*") if file.is_file() and file.name != "many"]
    assert not [content for content in left if b"c4n4ry" in content]
