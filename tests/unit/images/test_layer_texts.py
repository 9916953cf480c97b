"""How much text of migrations is read out of an image, and what is said of more."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from typing import Any

import pytest

from hanbae.images import contents, layer_worker

FOLDER = "/app/migrations"


def answered(files: dict[str, bytes], most: int = contents.LARGEST_ANSWER) -> dict[str, Any]:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, body in files.items():
            info = tarfile.TarInfo(path[1:])
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    request = {
        "folder": FOLDER,
        "layers": 1,
        "most_bytes": 1 << 30,
        "most_members": 10_000,
        "most_answered": most,
        "texts": True,
    }
    layer = out.getvalue()
    head = json.dumps(request).encode() + b"\n" + len(layer).to_bytes(4, "big")
    return layer_worker.answer(io.BytesIO(head + layer + bytes(4)))


@pytest.mark.parametrize(
    "files",
    [
        {f"{FOLDER}/{number}_a.sql": bytes([number]) * 1000 for number in range(10)},
        {f"{FOLDER}/{number}_same.sql": bytes(1000) for number in range(10)},
        {f"{FOLDER}/{number}_{'name' * 50}.sql": b"" for number in range(50)},
    ],
    ids=["texts", "one text under many names", "names"],
)
def test_a_folder_of_more_than_can_be_answered_is_told_as_such(files: dict[str, bytes]) -> None:
    assert "fault" not in answered(files)
    assert "migrations of more than" in answered(files, 10_000)["fault"]


def test_it_is_told_how_much_can_be_answered() -> None:
    files = {f"{FOLDER}/{number}_a.sql": bytes([number]) * 1024**2 for number in range(12)}
    assert answered(files)["fault"] == "migrations of more than 12 MiB", "with the names"
    del files[f"{FOLDER}/11_a.sql"]
    assert len(answered(files)["texts"]) == 11


def test_sql_of_other_folders_refuses_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test suite of SQL may be in it."""
    monkeypatch.setattr(layer_worker, "MOST_TEXT", 2000)
    files = {f"/app/vendor/{number}_suite.sql": bytes([number]) * 900 for number in range(9)}
    reply = answered(files | {f"{FOLDER}/1_a.sql": b"SELECT 1;"})
    assert base64.b64decode(reply["texts"]["1_a.sql"]) == b"SELECT 1;"
    reply = answered(files | {f"{FOLDER}/1_a.sql": b"x" * 900})
    assert (set(reply["files"]), reply["texts"]) == ({"1_a.sql"}, {}), "whoever asks can tell"
