"""hanbae reads a migration as the real goose does: the same files refused, the same statements counted."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hanbae import wording
from hanbae.migrations import scripts

#: Lines as people write them, as they should not, and as nobody would.
LINES = (
    *("-- +goose Up", "-- +goose Down", "-- +goose StatementBegin", "-- +goose StatementEnd") * 3,
    *("--+goose Up", "-- +goose up", "-- +GOOSE up", " -- +goose Up", "\t-- +goose Down"),
    *("-- +goose  Down", "--+goose\tDown", "---- +goose Down", "--- +goose Up", "-- +gooseUp"),
    *("-- Up +goose", "-- +goose+goose Up", "-- +goose Up;", "-- +goose Up -- x", "+goose Up"),
    *("-- about +goose", "-- +goose", "-- +goose Sideways", "-- +goose statementend"),
    *("-- +goose NO TRANSACTION", "-- +goose no transaction", "-- +goose NO  TRANSACTION"),
    *("-- +goose ENVSUB ON", "-- +goose ENVSUB OFF", "-- +goose Down\r", "SELECT 3;\r"),
    *("SELECT 1;", "SELECT 1", "SELECT 1; -- c", "SELECT 1 -- c;", "a; b;", "x --;", "; "),
    *("SELECT 1;", "CREATE TABLE a (", "  b text);", "", "-- c") * 8,
    *("", "  ", "-- c", "--", "/* c */", "$$;", "\tSELECT 2;"),
)
ROW = re.compile(r"^sql\s+(?P<transaction>\S+)\s+(?P<up>\d+)\s+(?P<down>\d+)\s", re.MULTILINE)


class Quiet:
    """Follows the building of the binaries, which tests/run.py has shown already."""

    def started(self, component: str, estimate_s: float, remaining_s: float) -> None: ...

    def finished(self, component: str, seconds: float, *, cached: bool) -> None: ...

    def note(self, text: wording.Text) -> None: ...


@pytest.fixture(scope="module")
def goose() -> str:
    program = shutil.which("goose")
    if program is None:
        from hanbae.sandbox import binaries

        program = str(binaries.obtain(progress=Quiet()).path("goose"))
    return program


def test_random_files_are_read_alike(goose: str, tmp_path: Path) -> None:
    choose = random.Random(20261124)  # noqa: S311  no secret
    refused = 0
    for _ in range(300):
        lines = choose.choices(LINES, k=choose.randrange(1, 9))
        begin = ["-- +goose Up"] if choose.random() < 0.9 else []
        text = "\n".join([*begin, *lines]) + choose.choice(["", "\n"])
        (tmp_path / "00001_x.sql").write_bytes(text.encode())
        ended = subprocess.run(
            [goose, "-v", "validate", "00001_x.sql"],
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
        )
        parsed = scripts.parse(text)
        assert (parsed.fault is None) == (ended.returncode == 0), (text, ended.stderr, parsed)
        if parsed.fault is not None:
            refused += 1
            continue
        row = ROW.search(ended.stdout)
        assert row is not None, ended.stdout
        counts = (len(parsed.up), len(parsed.down or ()), parsed.transaction)
        assert counts == (int(row["up"]), int(row["down"]), row["transaction"] == "✔"), text
    assert 50 < refused < 250
