"""What a program in Helm's place is given: files, arguments, and no variable that may hold a token."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from hanbae import errors
from hanbae.engines import protocol
from hanbae.engines.helm import program

CHART = program.Chart(
    "auth-service",
    "services-dev",
    {"Chart.yaml": b"name: auth\n", "templates/a.yaml": b"kind: A\n"},
    (b"first: 1\n", b"second: 2\n"),
    {"hanbae.dev/key": "d1.sync"},
)
RECORDING = """\
env | sort > "$PROBE/env"
printf '%s\\n' "$@" > "$PROBE/arguments"
cp -r "$(dirname "$3")" "$PROBE/folder" 2>/dev/null
"""


def put(folder: Path, script: str, *, interpreter: str = "/bin/sh") -> str:
    """A program that does what the script says; it finds the folder by itself, as it gets no variable for it."""
    path = folder / "helm"
    path.write_text(f"#!{interpreter}\nPROBE={folder}\n{script}")
    path.chmod(0o755)
    return str(path)


def is_there(path: str) -> bool:
    return os.path.lexists(path)


async def upgrade(path: str, *, dry: bool = False) -> None:
    await program.upgrade(path, CHART, context="dev", kubeconfig=None, dry=dry)


async def test_it_gets_the_commits_files_and_no_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ARGOCD_AUTH_TOKEN", "AWS_SECRET_ACCESS_KEY", "HELM_KUBETOKEN", "PGPASSWORD"):
        monkeypatch.setenv(name, "s3cret-of-the-user")
    monkeypatch.setenv("KUBECONFIG", "/etc/kubeconfig")
    await upgrade(put(tmp_path, RECORDING))
    environment = (tmp_path / "env").read_text()
    assert "s3cret-of-the-user" not in environment
    assert "KUBECONFIG=/etc/kubeconfig" in environment
    arguments = (tmp_path / "arguments").read_text().split("\n")
    assert "--no-hooks" in arguments
    assert "--install" in arguments
    assert not any(word.startswith("--dry-run") for word in arguments)
    assert arguments[arguments.index("--namespace") + 1] == "services-dev"
    assert arguments[arguments.index("--kube-context") + 1] == "dev"
    files = [arguments[i + 1] for i, word in enumerate(arguments) if word == "--values"]
    contents = [(tmp_path / "folder" / Path(file).name).read_bytes() for file in files]
    assert contents == list(CHART.values)
    chart = tmp_path / "folder" / "chart" / "templates" / "a.yaml"
    assert chart.read_bytes() == b"kind: A\n"
    assert not is_there(arguments[2]), "the files of a deployment are not left behind"


@pytest.mark.parametrize(
    ("words", "kind", "text_id"),
    [
        (
            "another operation (install/upgrade/rollback) is in progress",
            protocol.Busy,
            "upgrade.busy",
        ),
        ("Kubernetes cluster unreachable: EOF", errors.Unreachable, "upgrade.unreachable"),
        (
            'Get "https://10.0.0.1:6443/api/v1/namespaces/x/secrets": EOF',
            errors.Unreachable,
            "upgrade.unreachable",
        ),
        ("read tcp 1.2.3.4: connection reset by peer", errors.Unreachable, "upgrade.unreachable"),
        ("net/http: TLS handshake timeout", errors.Unreachable, "upgrade.unreachable"),
        ("template: x:1: unexpected EOF", errors.Failed, "upgrade.failed"),
        ("x exists: invalid ownership metadata", errors.Refused, "upgrade.not-adopted"),
        ("field is immutable", errors.Failed, "upgrade.failed"),
    ],
)
async def test_what_it_says_is_the_error_that_it_means(
    tmp_path: Path, words: str, kind: type[errors.Error], text_id: str
) -> None:
    path = put(tmp_path, f"echo 'Error: {words} postgres://u:hunter22hunter@db/x' >&2; exit 1")
    with pytest.raises(kind, match=text_id) as failed:
        await upgrade(path)
    assert "hunter22hunter" not in str(failed.value)


@pytest.mark.parametrize("times", [1, 3])
async def test_it_is_let_end_before_who_leaves_is_gone(tmp_path: Path, times: int) -> None:
    path = put(tmp_path, 'touch "$PROBE/begun"; sleep 0.5; touch "$PROBE/ended"')
    running = asyncio.create_task(upgrade(path))
    async with asyncio.timeout(30):
        while not (tmp_path / "begun").exists():  # noqa: ASYNC110  a file tells nobody
            await asyncio.sleep(0.02)
    for _ in range(times):
        running.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # once for who runs it, once for what runs
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert (tmp_path / "ended").exists()


@pytest.mark.parametrize(
    ("version", "text_id"), [("v3.18.0", "upgrade.other-version"), ("-", "upgrade.other-version")]
)
async def test_another_version_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, text_id: str
) -> None:
    put(tmp_path, f"echo {version}")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(errors.Lacking, match=text_id):
        await program.require()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(errors.Lacking, match=r"upgrade\.none"):
        await program.require()


async def test_a_program_that_does_not_start_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path, "", interpreter="/nowhere/sh")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(errors.Lacking, match=r"main\.unstarted"):
        await program.require()
    with pytest.raises(errors.Lacking, match=r"main\.unstarted"):
        await upgrade(path)
