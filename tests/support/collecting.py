"""Collection of one run's tests by several workers: each begins with modules of its own.

pytest compiles the assertions of every test module and keeps the result beside it. Workers that collect a new checkout
in the same order all compile the same modules at the same time; where each begins elsewhere, each module is compiled
once, and read by the others.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Sequence
from pathlib import Path

import pytest


def begin(root: Path, arguments: Sequence[str]) -> None:
    """Import this worker's share of the modules that are to be collected; those that fail are left to pytest.

    Args:
        root: The folder of the repository, whose modules are named by their paths.
        arguments: The files and folders that pytest was given.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    if not worker:
        return
    workers = int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    for path in share(modules(arguments), int(worker), workers):
        with contextlib.suppress(Exception, pytest.skip.Exception, pytest.fail.Exception):
            for conftest in (folder / "conftest.py" for folder in reversed(path.parents)):
                if conftest.is_relative_to(root) and conftest.exists():
                    importlib.import_module(_name(conftest, root))
            importlib.import_module(_name(path, root))


def _name(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts)


def modules(arguments: Sequence[str]) -> list[Path]:
    """The test modules among files and folders, in one order for all workers."""
    paths = [Path(argument.partition("::")[0]).resolve() for argument in arguments]
    return sorted(
        {
            module
            for path in paths
            for module in (path.rglob("test_*.py") if path.is_dir() else [path])
        }
    )


def share(paths: Sequence[Path], worker: int, workers: int) -> Sequence[Path]:
    """What one of the workers, counted from 0, begins with; dealt out in turn, as neighbours are alike in size."""
    return paths[worker::workers]
