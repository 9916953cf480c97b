"""How much text of migrations is read out of an image, and what is said of more."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import tarfile
from typing import Any, Literal

import pytest

from hanbae.images import contents, layer_worker

FOLDER = "/app/migrations"


def piped(
    files: dict[str, bytes],
    most: int = contents.LARGEST_ANSWER,
    *,
    packing: Literal["", "gz"] = "",
    first: int = 0,
) -> io.BytesIO:
    """What the worker reads: a layer, whose first frame may have a few bytes alone."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{packing}") as tar:  # type: ignore[call-overload]
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
    frames = (part for part in (layer[:first], layer[first:]) if part)
    sent = b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames)
    return io.BytesIO(json.dumps(request).encode() + b"\n" + sent + bytes(4))


def answered(files: dict[str, bytes], most: int = contents.LARGEST_ANSWER) -> dict[str, Any]:
    return layer_worker.answer(piped(files, most))


@pytest.mark.parametrize("first", [1, 3, 4])
def test_how_a_layer_is_packed_is_seen_however_it_comes(first: int) -> None:
    pipe = piped({f"{FOLDER}/1_a.sql": b"SELECT 1;"}, packing="gz", first=first)
    assert list(layer_worker.answer(pipe)["files"]) == ["1_a.sql"]  # type: ignore[call-overload]


def test_layer_that_takes_too_much_memory_is_told_as_such() -> None:
    """In a process of its own, since the worker confines the one that it is in."""
    program = (
        "import sys\nfrom hanbae.images import layer_worker\n"
        "def entries(*_):\n    raise MemoryError\n"
        "layer_worker.entries = entries\nsys.exit(layer_worker.main())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        input=piped({f"{FOLDER}/1_a.sql": b""}).getvalue(),
        capture_output=True,
        check=True,
    )
    assert json.loads(ended.stdout) == {"fault": "more memory than reading may take"}


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
