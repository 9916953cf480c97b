"""The shop's own tests; here and not among the unit tests because Go compiles for a while."""

from __future__ import annotations

import subprocess

from hanbae.sandbox import demo_repository, golang


def test_app_passes_its_own_tests() -> None:
    ended = subprocess.run(
        # With the flags of all builds, so that Go has compiled what the app stands on already.
        [golang.find().path, "test", *golang.FLAGS, "."],
        cwd=demo_repository.example() / "app",
        env=golang.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
