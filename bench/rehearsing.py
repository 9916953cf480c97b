"""What a rehearsal costs beside goose alone, on the same server and in the same run."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from bench.rows import Row

from hanbae.rehearsing import goose, rehearsal, servers
from hanbae.sandbox import rehearsal_server, running

FILES = 30
RUNS = 3
ROWS = 1_000_000
_FILL = "INSERT INTO public.t1 SELECT i FROM generate_series(1, %s) i"
_REWRITE = "-- +goose Up\nALTER TABLE t1 ALTER COLUMN id TYPE numeric;\n-- +goose Down\nSELECT 1;\n"


def rehearse() -> list[Row]:
    """The whole way with many small files, and one migration that writes a large table anew."""
    with (
        rehearsal_server.running(running.Silent()) as (server, program),
        tempfile.TemporaryDirectory() as name,
    ):
        folder = Path(name)
        many = _files(folder / "many", [_small(number) for number in range(1, FILES + 1)])
        rewriting = _files(folder / "one", [_small(1), _REWRITE])
        whole = [
            (_whole(server, program, many), _alone(server, program, many)) for _ in range(RUNS)
        ]
        steps = [_step(server, program, rewriting) for _ in range(RUNS)]
    title = (
        f"rehearse {FILES} migrations: up, again, back and up one by one \\| goose up, reset, up"
    )
    return [
        Row(title, *_medians(whole), "", RUNS),
        Row(
            f"a rewrite of {ROWS:,} rows, watched \\| goose alone", *_medians(steps), "1.1 x", RUNS
        ),
    ]


def _medians(figures: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(a for a, _ in figures), statistics.median(b for _, b in figures)


def _small(number: int) -> str:
    return (
        f"-- +goose Up\nCREATE TABLE t{number} (id bigint PRIMARY KEY);\n"
        f"-- +goose Down\nDROP TABLE t{number};\n"
    )


def _files(folder: Path, texts: list[str]) -> rehearsal.Files:
    folder.mkdir()
    names = {number: f"{number:05}_t.sql" for number in range(1, len(texts) + 1)}
    for number, text in enumerate(texts, 1):
        (folder / names[number]).write_text(text)
    return rehearsal.Files(folder, names)


def _whole(server: servers.Server, program: Path, files: rehearsal.Files) -> float:
    began = time.perf_counter()
    order = rehearsal.Order("bench", files, {})
    rehearsed = rehearsal.Rehearsing(server, program, lambda _: None).rehearse(order)
    if rehearsed.has_failed:
        raise RuntimeError(rehearsed)
    return time.perf_counter() - began


def _alone(server: servers.Server, program: Path, files: rehearsal.Files) -> float:
    """The same way without anybody looking."""
    began = time.perf_counter()
    with servers.database(server) as name:
        for word in ("up", "reset", "up"):
            _run(goose.Goose(program, files.folder, server, name), word)
    return time.perf_counter() - began


def _step(server: servers.Server, program: Path, files: rehearsal.Files) -> tuple[float, float]:
    """The seconds of the second migration over a full table: watched, and alone."""
    figures = []
    for watched in (True, False):
        with servers.database(server) as name:
            runner = goose.Goose(program, files.folder, server, name)
            _run(runner, "up-to 1")
            with servers.connect(server, name) as connection:
                connection.execute(_FILL, (ROWS,))
                connection.execute("CHECKPOINT")
            witness = rehearsal.observing.Witness(server, name) if watched else None
            try:
                if witness is None:
                    figures.append(_run(runner, "up-to 2"))
                else:
                    with witness.watching():
                        figures.append(_run(runner, "up-to 2"))
            finally:
                if witness is not None:
                    witness.close()
    return figures[0], figures[1]


def _run(runner: goose.Goose, words: str) -> float:
    ended = runner.run(*words.split())
    if ended.error:
        raise RuntimeError(ended.error)
    return ended.seconds
