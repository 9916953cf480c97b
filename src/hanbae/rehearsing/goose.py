"""The real goose on a rehearsal's database, one migration at a time."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Final

from msgspec import Struct

from hanbae import errors, masking
from hanbae.migrations import statuses
from hanbae.rehearsing import servers
from hanbae.streams import locales

TABLE: Final = "public.goose_db_version"
LONGEST: Final = 3600.0
"""Seconds after which a migration is given up."""
_PASSED_ON: Final = ("HOME", "PATH", "PGPASSFILE", "TZ")


class Ended(Struct, frozen=True):
    """One call of goose.

    Attributes:
        seconds: What it took.
        error: Why it failed, in its own words; empty where it did not.
        changed: Versions that it applied or took back.
    """

    seconds: float
    error: str
    changed: tuple[int, ...]


class Goose(Struct, frozen=True):
    """goose on one database.

    Attributes:
        program: The program.
        folder: The migrations.
        server: The server.
        database: The database.
    """

    program: Path
    folder: Path
    server: servers.Server
    database: str

    def run(self, *words: str) -> Ended:
        """Run a command of goose's, such as ``up-to 3``.

        Raises:
            hanbae.errors.Failed: It did not come to its end in time.
            hanbae.errors.Lacking: The program cannot be started.
        """
        # Without -env=none goose reads settings from a file .env of the folder that we are in.
        options = ("-env=none", "-dir", str(self.folder), "-table", TABLE)
        with servers.addressed(self.server, self.database) as (variables, descriptors):
            inherited = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
            began = time.monotonic()
            try:
                with errors.starting(str(self.program)):
                    ended = subprocess.run(
                        [str(self.program), *options, *words],
                        env={**inherited, **locales.ENGLISH, **variables},
                        pass_fds=descriptors,
                        stdin=subprocess.DEVNULL,
                        capture_output=True,
                        encoding="utf-8",
                        errors="replace",
                        check=False,
                        timeout=LONGEST,
                    )
            except subprocess.TimeoutExpired:
                facts = {"command": " ".join(words), "seconds": f"{LONGEST:g}"}
                raise errors.Failed("rehearsal.too-long", place=None, **facts) from None
            seconds = time.monotonic() - began
        lines = [*ended.stdout.splitlines(), *ended.stderr.splitlines()]
        changed = tuple(version for line in lines if (version := statuses.applied(line)))
        if ended.returncode == 0:
            return Ended(seconds, "", changed)
        failure = statuses.failure(lines)
        words_of_goose = failure.error if failure is not None else "\n".join(lines[-3:])
        return Ended(seconds, masking.Redactor()(words_of_goose) or "-", changed)
