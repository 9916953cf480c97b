"""Children whose words are read speak English, whatever language the user's are in, and are read as UTF-8."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hanbae import errors
from hanbae.actions import init
from hanbae.engines.helm import program
from hanbae.images import credentials
from hanbae.rehearsing import goose, servers
from hanbae.repository import checkouts
from hanbae.sandbox import demo_repository, packages

SPOKEN = """\
#!/bin/sh
printf '%s|%s|%s' "$LC_ALL" "$LANGUAGE" "$LC_MESSAGES" >>"$0.spoken"
printf 'caf\\303\\251'
exit 3
"""


CALLS: dict[str, tuple[str, Callable[[Path, Path], object]]] = {
    "fetch": ("git", lambda folder, _: checkouts.Checkout.open(folder).fetch("origin", ["main"])),
    "remote": ("git", lambda folder, _: init.remote_url(folder)),
    "demo": ("git", lambda folder, _: demo_repository.git(folder, "status")),
    "helm": ("helm", lambda _, __: asyncio.run(program.require())),
    "credentials": (
        "docker-credential-fake",
        lambda _, __: credentials._of_helper("fake", "a.example.com", "a.example.com"),
    ),
    "goose": (
        "goose",
        lambda folder, path: goose.Goose(
            path, folder, servers.Server({"host": "127.0.0.1", "port": "1", "user": "u"}), "d"
        ).run("status"),
    ),
    "packages": (
        "apt-get",
        lambda folder, path: packages._Apt(folder, folder / "log").run([str(path), "update"]),
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_children_whose_words_are_read_speak_english(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child, call = CALLS[name]
    path, folder = tmp_path / "bin" / child, tmp_path / "work"
    path.parent.mkdir()
    folder.mkdir()
    for words in ("init -q", "remote add origin https://git.example.com/shop.git"):
        subprocess.run(["git", *words.split()], cwd=folder, check=True)
    path.write_text(SPOKEN)
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("LC_ALL", "ko_KR.EUC-KR")
    monkeypatch.setenv("LC_MESSAGES", "")
    monkeypatch.setenv("LANGUAGE", "ko")
    with contextlib.suppress(errors.Error):
        call(folder, path)
    assert Path(f"{path}.spoken").read_text() == "C||"
