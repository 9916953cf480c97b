"""hanbae reads a migration as the real goose does: the same files refused, the same statements counted."""

from __future__ import annotations

import codecs
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hanbae import wording
from hanbae.migrations import cuts, dialects, scripts

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
#: How editors save a file; most as they should.
ENCODINGS = (
    *[str.encode] * 12,
    lambda text: codecs.BOM_UTF8 + text.encode(),
    lambda text: text.encode("utf-16"),
)
#: Statements that goose cuts, with the dialect and the lines at which it does.
CUT = (
    ("postgres", "DO $$ BEGIN\n PERFORM 1;\n PERFORM 2;\nEND $$;", [3]),
    ("postgres", "CREATE FUNCTION f() RETURNS int AS $a$\nSELECT 1;\n$a$ LANGUAGE sql;", [3]),
    ("postgres", "INSERT INTO a VALUES ('b;\nc;\n');", [2]),
    ("postgres", "/* old;\n*/ SELECT 1;", [2]),
    (
        "postgres",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql\nBEGIN ATOMIC\nSELECT 1;\nEND;",
        [4],
    ),
    ("postgres", "CREATE RULE r AS ON INSERT TO a DO (DELETE FROM b;\nDELETE FROM c);", [2]),
    ("sqlite", "CREATE TRIGGER t AFTER INSERT ON a BEGIN\nDELETE FROM b;\nEND;", [3]),
    ("mysql", "INSERT INTO a VALUES ('it\\'s; b;\n c');", [2]),
    ("postgres", "SELECT ';'; -- don't;\nSELECT 'a;b', $1;\nSELECT E'\\';';", []),
    ("postgres", "CREATE TABLE a (\n b text DEFAULT '(;');\nSELECT 1;", []),
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


def validated(goose: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What the real goose says of the file ``00001_x.sql``."""
    return subprocess.run(
        [goose, "-v", "validate", "00001_x.sql"],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )


def test_random_files_are_read_alike(goose: str, tmp_path: Path) -> None:
    choose = random.Random(20261124)  # noqa: S311  no secret
    refused = 0
    for _ in range(300):
        lines = choose.choices(LINES, k=choose.randrange(1, 9))
        begin = ["-- +goose Up"] if choose.random() < 0.9 else []
        text = "\n".join([*begin, *lines]) + choose.choice(["", "\n"])
        data = choose.choice(ENCODINGS)(text)
        (tmp_path / "00001_x.sql").write_bytes(data)
        ended = validated(goose, tmp_path)
        parsed = scripts.read(data)
        assert (parsed.fault is None) == (ended.returncode == 0), (text, ended.stderr, parsed)
        if parsed.fault is not None:
            refused += 1
            continue
        row = ROW.search(ended.stdout)
        assert row is not None, ended.stdout
        counts = (len(parsed.up), len(parsed.down or ()), parsed.transaction)
        assert counts == (int(row["up"]), int(row["down"]), row["transaction"] == "✔"), text
    assert 50 < refused < 270


@pytest.mark.parametrize(("dialect", "sql", "lines"), CUT)
def test_goose_cuts_where_it_is_reported(
    goose: str, tmp_path: Path, dialect: dialects.Dialect, sql: str, lines: list[int]
) -> None:
    text = f"-- +goose Up\n{sql}\n"
    parsed = scripts.parse(text)
    assert [cut.line for cut in cuts.cuts(parsed.up, dialect)] == lines
    (tmp_path / "00001_x.sql").write_text(text)
    ended = validated(goose, tmp_path)
    assert ended.returncode == 0, ended.stderr
    row = ROW.search(ended.stdout)
    assert row is not None, ended.stdout
    # As many pieces as goose sends: more than one for what the database would read as one statement.
    assert int(row["up"]) == len(parsed.up)
    if lines:
        marked = f"-- +goose Up\n-- +goose StatementBegin\n{sql}\n-- +goose StatementEnd\n"
        assert list(cuts.cuts(scripts.parse(marked).up, dialect)) == []
        assert len(parsed.up) > 1
