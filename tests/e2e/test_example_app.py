"""The shop's own tests; here and not among the unit tests because Go compiles for a while."""

from __future__ import annotations

import subprocess

from hanbae.sandbox import demo_repository, golang


def test_app_passes_its_own_tests() -> None:
    ended = subprocess.run(
        [golang.find().path, "test", "-mod=readonly", "."],
        cwd=demo_repository.example() / "app",
        env=golang.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
