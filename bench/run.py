"""``./dev bench``: the budgets of the design, measured against the peer in the same run.

Prints a table and writes JSON (``--json FILE``).
Nothing here passes or fails: noisy machines make bad judges, so the bars stand beside the figures.

Usage: ./dev bench [startup] [check] [render] [seal] [sandbox] [status] [deploy] [history] [rehearse] [--json FILE]
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from bench.rows import Row


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def _pairs(ours: list[str], peer: list[str], runs: int) -> tuple[float, float]:
    """Medians of both, run in turn so that a drifting machine drifts for both."""
    _seconds(ours)
    _seconds(peer)
    figures = [(_seconds(ours), _seconds(peer)) for _ in range(runs)]
    return statistics.median(a for a, _ in figures), statistics.median(b for _, b in figures)


def startup() -> list[Row]:
    """``hanbae --version`` against a bare interpreter."""
    hanbae = str(Path(sys.executable).with_name("hanbae"))
    ours, peer = _pairs([hanbae, "--version"], [sys.executable, "-c", "pass"], runs=15)
    return [Row("hanbae --version \\| python -c pass", ours, peer, "within 60 ms", 15)]


def sandbox() -> list[Row]:
    """From built binaries to everything Ready, and the second ``up`` that has nothing to do."""
    from hanbae.sandbox import binaries, running

    hanbae = str(Path(sys.executable).with_name("hanbae"))
    up = [hanbae, "sandbox", "up", "--name", "bench"]
    down = [hanbae, "sandbox", "down", "--name", "bench"]
    binaries.obtain(progress=running.Silent())
    cold, again = [], []
    for _ in range(3):
        try:
            cold.append(_seconds(up))
            again.append(_seconds(up))
        finally:
            _seconds(down)
    return [
        Row("sandbox up, everything Ready", statistics.median(cold), None, "25 s", 3),
        Row("sandbox up, already up", statistics.median(again), None, "no-op", 3),
    ]


def deploy() -> list[Row]:
    """A deployment against the bare operation, and how soon causes are named."""
    from bench import deploying

    return deploying.deploy()


def check() -> list[Row]:
    """Checking a whole repository against a loop of other tools."""
    from bench import checking

    return checking.check()


def history() -> list[Row]:
    """The history with a million events, in a file and on a server."""
    from bench import recording

    return recording.history()


def render() -> list[Row]:
    """Rendering a whole repository against the same loop."""
    from bench import checking

    return checking.render()


def seal() -> list[Row]:
    """Sealing a thousand values against kubeseal, called for each of them and once for all."""
    from bench import sealing

    return sealing.seal()


def rehearse() -> list[Row]:
    """Rehearsing migrations against goose alone."""
    from bench import rehearsing

    return rehearsing.rehearse()


def status() -> list[Row]:
    """Where many services stand."""
    from bench import standing

    return standing.status()


BENCHMARKS: dict[str, Callable[[], list[Row]]] = {
    "startup": startup,
    "check": check,
    "render": render,
    "seal": seal,
    "sandbox": sandbox,
    "status": status,
    "deploy": deploy,
    "history": history,
    "rehearse": rehearse,
}


def main(arguments: list[str]) -> int:
    """Run the benchmarks that are named, or all."""
    target = None
    if "--json" in arguments:
        position = arguments.index("--json")
        target = Path(arguments[position + 1])
        del arguments[position : position + 2]
    unknown = set(arguments) - set(BENCHMARKS)
    if unknown:
        sys.stderr.write(
            f"unknown benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}\n"
        )
        return 2
    # What is installed has its bytecode beside it; where none is written, every run would compile everything again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    rows = [row for name in arguments or BENCHMARKS for row in BENCHMARKS[name]()]
    machine = (
        f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"
    )
    sys.stdout.write(
        f"{machine}\n\n| what | ours | peer | difference | ratio | bar | runs |\n|---|---|---|---|---|---|---|\n"
    )
    for row in rows:
        peer = "" if row.peer is None else f"{row.peer:.3f} {row.unit}"
        ratio = "" if row.peer is None else f"{row.peer / row.ours:.1f} x"
        difference = "" if row.peer is None else f"{(row.ours - row.peer) * 1000:+.0f} ms"
        sys.stdout.write(
            f"| {row.name} | {row.ours:.3f} {row.unit} | {peer} | {difference} | {ratio} | {row.bar} | {row.runs} |\n"
        )
    if target:
        target.write_text(
            json.dumps({"machine": machine, "rows": [asdict(row) for row in rows]}, indent=2) + "\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
