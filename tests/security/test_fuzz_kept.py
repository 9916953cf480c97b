"""What hanbae's own helpers answer, and what it has kept itself, is read as if somebody else had written it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import struct
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import fuzzing, records

from hanbae import wording
from hanbae.charts import pools
from hanbae.checking import inspecting, result_cache
from hanbae.history import stored_events, stores
from hanbae.repository import keeping
from hanbae.results import events

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANSWER = [
    {
        "error": None,
        "values": {"a": 1},
        "documents": [["templates/a.yaml", {"kind": "ConfigMap", "metadata": {"name": "x"}}]],
        "order": [0],
        "texts": {"templates/a.yaml": "kind: ConfigMap\n"},
        "manifest": "---\n",
        "beyond": {"file": "a", "line": 1, "what": "bytes", "limit": 3, "values": False},
        "differences": [
            {
                "asked": "helm",
                "identity": "Helm v3",
                "objects": ["a"],
                "template": "templates/a.yaml",
            }
        ],
        "alternatives": [{"assumed": ["a/v1"], "documents": [], "order": []}],
    }
]


@pytest.fixture
def renderer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in the renderer's place that answers every request with the bytes of a file."""
    program = tmp_path / "renderer"
    reply = tmp_path / "reply"
    program.write_text(
        f"#!{sys.executable} -IS\nimport sys\nsize = int.from_bytes(sys.stdin.buffer.read(8), 'big')\n"
        f"sys.stdin.buffer.read(size)\nsys.stdout.buffer.write(open({str(reply)!r}, 'rb').read())\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(pools, "program", lambda: program)
    return reply


@fuzzing.bounded(25)
@given(
    body=fuzzing.changed_json(ANSWER),
    size=st.sampled_from([None, None, None, 0, 7, 2**40, 2**64 - 1]),
)
def test_an_answer_of_the_renderer(renderer: Path, body: bytes, size: int | None) -> None:
    renderer.write_bytes(struct.pack(">Q", len(body) if size is None else size) + body)

    async def ask() -> list[pools.Answer]:
        request = pools.Request([pools.Release("auth", "services")])
        async with pools.opened(1) as pool:
            return await pool.render({"Chart.yaml": b"x"}, request, chart="chart", limit=20)

    with fuzzing.expected_errors():
        assert len(asyncio.run(ask())) == 1


FACTS: list[events.Fact] = [
    records.opened(),
    events.Noted(wording.Text("deploy.done")),
]


@fuzzing.bounded(60)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["Opened", "Closed", "Proved", "x", ""]),
            st.one_of(
                *(
                    fuzzing.changed_json(
                        msgspec.json.decode(
                            stored_events.encode(events.Event("d", 1, NOW, None, fact))
                        )
                    )
                    for fact in FACTS
                )
            ),
        ),
        max_size=3,
    )
)
def test_rows_of_a_history(tmp_path: Path, rows: list[tuple[str, bytes]]) -> None:
    path = tmp_path / "history.db"
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    stores.open_store(f"sqlite:///{path}").close()
    connection = sqlite3.connect(path)
    for number, (kind, text) in enumerate(rows, 1):
        with contextlib.suppress(sqlite3.Error):  # SQLite keeps only what is JSON
            connection.execute(
                "INSERT INTO events VALUES ('d', ?, ?, ?)",
                (number, kind, text.decode("utf-8", "replace")),
            )
    connection.commit()
    connection.close()
    with stores.open_store(f"sqlite:///{path}") as store:
        with fuzzing.expected_errors():
            store.deployments()
        with fuzzing.expected_errors():
            store.events("d")
        with fuzzing.expected_errors():
            assert store.find("d") == "d"
            with contextlib.suppress(ValueError):  # as documented, for one that is not there
                store.plan("d")
            store.deployment("d")


@fuzzing.bounded(60)
@given(
    content=fuzzing.damaged(
        b"\x93\x90\x90\xc0", msgspec.msgpack.encode([[["", "read", "a"]], ["x"], {}])
    ),
    whole=st.booleans(),
)
def test_entries_of_the_result_cache(tmp_path: Path, content: bytes, whole: bool) -> None:
    tmp_path.chmod(0o700)
    kept = keeping.Cache(tmp_path, b"s" * 32)
    name = keeping.key("check", "x")
    if whole:
        kept.put(name, content)
        assert kept.get(name) == content
    else:
        kept.put(name, b"honest")
        (tmp_path / name[:2] / name).write_bytes(content)
        assert kept.get(name) is None
    with contextlib.suppress(msgspec.DecodeError, ValueError):
        entry = msgspec.msgpack.decode(content, type=result_cache._Entry)
        msgspec.msgpack.decode(entry.inspection, type=inspecting.Inspection)
