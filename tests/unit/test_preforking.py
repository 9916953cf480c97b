"""Commands that are forked from one process: each has an end of its own, and ends with who asked for it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
from concurrent import futures
from pathlib import Path

import pytest
from tests.support import preforking

from hanbae.actions import init

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:%d"}}]
users: [{name: u, user: {token: none}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
"""
VARIABLES = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}


@pytest.fixture
def asking() -> socket.socket:
    """A connection to the process that forks."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(f"\0{os.environ.get(preforking.VARIABLE) or preforking.listening()}")
    return connection


def test_commands_at_the_same_time_have_their_own_ends() -> None:
    def run(words: list[str]) -> tuple[int, str, str]:
        return preforking.run(words, directory=Path("/"), environment=VARIABLES)

    with futures.ThreadPoolExecutor(4) as threads:
        ends = list(threads.map(run, [["--version"], ["nonsense"]] * 4))
    assert [code for code, _, _ in ends] == [0, 2] * 4
    assert all(out.startswith("hanbae ") and not err for _, out, err in ends[::2])


def test_a_command_ends_with_who_asked_for_it(asking: socket.socket, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    init.init(tmp_path, repository="https://git.example.com/shop.git", one_cluster=True)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        (tmp_path / "kubeconfig").write_text(KUBECONFIG % server.getsockname()[1])
        variables = VARIABLES | {"KUBECONFIG": str(tmp_path / "kubeconfig"), "HOME": str(tmp_path)}
        out, out_end = os.pipe()
        with asking:
            socket.send_fds(asking, [b"."], [out_end, out_end])
            os.close(out_end)
            request = [["check", "--live"], str(tmp_path), variables, None]
            asking.sendall(json.dumps(request).encode() + b"\n")
            command, _ = server.accept()  # it waits for an answer from now on
        with command:
            command.settimeout(30)
            with contextlib.suppress(ConnectionResetError):
                while command.recv(1 << 16):
                    pass
        with os.fdopen(out, "rb") as text:
            assert text.read() == b""  # it was killed: by itself it ends with words


@pytest.mark.parametrize("words", [b"", b"x"])
def test_who_asks_for_nothing_ends_nobody(asking: socket.socket, words: bytes) -> None:
    with asking:
        asking.sendall(words)
    assert preforking.run(["--version"], directory=None, environment=VARIABLES)[0] == 0
