"""The one door to Docker: Compose as a program, whose arguments and environment never hold a secret.

Compose reads secrets from files that only the user can read; what it says of them goes through a redactor.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hanbae import errors, foreign_json, libyaml, subjects
from hanbae.local import compose_document
from hanbae.repository import writing_files
from hanbae.results import compositions

_LARGEST: Final = 16 * 1024 * 1024
_PATIENCE: Final = 60.0
"""Seconds for questions that Docker answers at once, unless it does not answer at all."""
_ENDING: Final = 30.0
"""Seconds that Compose may take to end after Ctrl-C."""
_DROPPED: Final = frozenset({"COMPOSE_FILE", "COMPOSE_PROFILES", "COMPOSE_ENV_FILES"})
"""Settings of a developer's that would have another project be meant."""
_LONGEST: Final = 2000


@dataclass(frozen=True)
class Project:
    """A Compose project.

    Attributes:
        root: The repository.
        files: Its Compose files, later ones over earlier ones, relative to `root`.
        program: How Compose is called.
        relaxed: The first of the files, without its files of variables, for everything but a start.
    """

    root: Path
    files: tuple[str, ...]
    program: tuple[str, ...]
    relaxed: bytes = b""

    def up(self, services: Sequence[str], *, build: bool) -> None:
        """Start what does not run, or is not as the files have it, and wait for what others depend on.

        Compose's progress goes where ours does; Ctrl-C is passed on, and waited for.

        Raises:
            hanbae.errors.Failed: Compose has failed; what it said was shown.
        """
        options = ["up", "--detach", "--remove-orphans", "--quiet-pull"]
        code = self._shown([*options, *(["--build"] if build else []), *services], starts=True)
        if code != 0:
            raise errors.Failed("local.up-failed", code=str(code))

    def down(self, *, volumes: bool) -> None:
        """Stop and remove what runs; the data as well where that is asked for.

        Raises:
            hanbae.errors.Failed: Compose has failed; what it said was shown.
        """
        # Otherwise Compose would leave running what a profile has started.
        options = ["--profile", "*", "down", "--remove-orphans"]
        code = self._shown([*options, *(["--volumes"] if volumes else [])])
        if code != 0:
            raise errors.Failed("local.down-failed", code=str(code))

    def running(self) -> tuple[compositions.Running, ...]:
        """Every container of the project, by service.

        Raises:
            hanbae.errors.Unreachable: Docker does not answer.
            hanbae.errors.Failed: Compose refuses its files.
        """
        text = self._answer(["ps", "--all", "--format", "json"])
        # An object a line; a list from older ones.
        rows = [_decoded(line) for line in text.splitlines() if line.startswith("{")]
        if text.startswith("["):
            rows = foreign_json.mappings(_decoded(text))
        return tuple(sorted(map(_running, rows), key=lambda row: row.name))

    def ports(self) -> dict[int, tuple[str, int]]:
        """The ports of this machine that the project asks for → the service, and the port in its container.

        Raises:
            hanbae.errors.Failed: Compose refuses its files.
        """
        ports: dict[int, tuple[str, int]] = {}
        for name, entry in (self.config().get("services") or {}).items():
            for port in entry.get("ports") or ():
                published = str(port.get("published") or "")
                if published.isdigit():
                    ports[int(published)] = str(name), int(port.get("target") or 0)
        return ports

    def config(self, *, profiles: bool = False) -> dict[str, Any]:
        """The files as Compose merges them, without the values of variables' files.

        Args:
            profiles: Whether what only starts with a profile is in it as well.

        Raises:
            hanbae.errors.Failed: Compose refuses its files.
        """
        flags = ["--profile", "*"] if profiles else []
        form = ["--format", "json", "--no-env-resolution", "--no-path-resolution"]
        text = self._answer([*flags, "config", *form])
        document = _decoded(text)
        return document if isinstance(document, dict) else {}

    def logs(self, services: Sequence[str], *, follow: bool, tail: int | None) -> Iterator[str]:
        """Lines of the services' logs, as Compose writes them.

        Raises:
            hanbae.errors.Unreachable: Docker does not answer.
        """
        options = ["logs", "--no-color"]
        options += ["--follow"] if follow else []
        options += ["--tail", str(tail)] if tail is not None else []
        with errors.starting(self.program[0]):
            process = subprocess.Popen(
                self._command([*options, *services]),
                cwd=self.root,
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        _feed(process, self.relaxed)
        output = process.stdout
        try:
            while output is not None and (line := output.readline(_LARGEST)):
                yield line.decode("utf-8", "replace").rstrip("\n")
        finally:
            _end(process)

    def _command(self, words: Sequence[str], *, starts: bool = False) -> list[str]:
        main, *others = self.files
        named = [
            # Only a start reads the file itself, with its files of variables; all else gets
            # `relaxed` by standard input.
            str(self.root / main) if starts else "-",
            *(str(self.root / file) for file in others),
        ]
        files = [part for name in named for part in ("--file", name)]
        return [*self.program, "--project-directory", str(self.root), *files, *words]

    def _shown(self, words: Sequence[str], *, starts: bool = False) -> int:
        """Run with what it says on our standard error."""
        with errors.starting(self.program[0]):
            process = subprocess.Popen(
                self._command(words, starts=starts),
                cwd=self.root,
                env=_environment(),
                stdin=subprocess.DEVNULL if starts else subprocess.PIPE,
                stdout=2,
                stderr=2,
            )
        try:
            if not starts:
                _feed(process, self.relaxed)
            return process.wait()
        except BaseException:
            _end(process)
            raise

    def _answer(self, words: Sequence[str]) -> str:
        ended = _run(self._command(words), self.root, self.relaxed)
        if ended.returncode != 0:
            raise errors.Failed("local.compose-refuses", reason=_reason(ended.stderr))
        return ended.stdout[:_LARGEST].decode("utf-8", "replace").strip()


def _decoded(text: str) -> Any:
    """What Compose has answered in JSON.

    Raises:
        hanbae.errors.Failed: It is none.
    """
    try:
        return foreign_json.decode(text)
    except foreign_json.Fault as fault:
        raise errors.Failed("local.compose-refuses", reason=_reason(text.encode())) from fault


def project(root: Path, files: Sequence[str]) -> Project:
    """A project that can be started.

    Raises:
        hanbae.errors.FileFault: The first file is no Compose file.
        hanbae.errors.Lacking: There is no Docker, or it has no Compose.
        hanbae.errors.Unreachable: Docker's daemon does not answer.
    """
    program = require(root)
    return Project(root, tuple(files), program, _relaxed(read(root, files[0])))


def require(root: Path) -> tuple[str, ...]:
    """How Compose is called, where it is there and Docker answers.

    Raises:
        hanbae.errors.Lacking: There is no Docker, or it has no Compose.
        hanbae.errors.Unreachable: Docker's daemon does not answer.
    """
    program = find()
    if program is None:
        raise errors.Lacking(
            "local.no-compose-plugin" if shutil.which("docker") else "local.no-docker"
        )
    # docker-compose may be there without the program docker.
    if program[0] == "docker":
        ended = _run(["docker", "version", "--format", "{{.Server.Version}}"], root)
        if ended.returncode != 0:
            raise errors.Unreachable("local.no-daemon", reason=_reason(ended.stderr))
    return program


def read(root: Path, path: str) -> Any:
    """A Compose file, as it stands.

    Raises:
        hanbae.errors.FileFault: It is none.
    """
    text = writing_files.read(root, path) or ""
    place = subjects.Place(path)
    try:
        document = libyaml.load(text.encode())
    except libyaml.Fault as fault:
        raise errors.FileFault("local.no-compose", place=place, reason=str(fault)) from fault
    if not compose_document.services(document):
        raise errors.FileFault("local.no-compose", place=place, reason="services")
    return document


def _relaxed(document: Any) -> bytes:
    """The file as JSON, which is YAML, without its files of variables.

    Compose reads them whatever it is asked for: it refuses to stop anything where one is missing, and shows what is in
    them with the rest.
    """
    entries = {
        name: {key: value for key, value in entry.items() if key != "env_file"}
        for name, entry in compose_document.services(document).items()
    }
    return json.dumps({**document, "services": entries}, default=str).encode()


def find() -> tuple[str, ...] | None:
    """How Compose is called here: as Docker's plugin, or as a program of its own; None where there is none."""
    for words in (("docker", "compose"), ("docker-compose",)):
        if shutil.which(words[0]) is None:
            continue
        with contextlib.suppress(errors.Unreachable):
            ended = _run([*words, "version", "--short"], Path.cwd())
            if ended.returncode == 0 and not ended.stdout.startswith(b"1."):
                return words
    return None


def merged(root: Path, files: Sequence[str]) -> dict[str, Any] | None:
    """Compose files as Compose merges them; None where there is no Compose to do that.

    Raises:
        hanbae.errors.FileFault: The first file is no Compose file.
        hanbae.errors.Failed: Compose refuses the files.
    """
    program = find()
    if program is None:
        return None
    document = read(root, files[0])
    result = Project(root, tuple(files), program, _relaxed(document)).config()
    own = compose_document.services(document)
    for name, entry in compose_document.services(result).items():
        paths = compose_document.env_files(own.get(name, {}))
        if paths and isinstance(entry, dict):
            # `_relaxed` has taken them out so that Compose reads none of them; a comparison needs their names.
            entry["env_file"] = [*compose_document.env_files(entry), *paths]
    return result


def _running(row: dict[str, Any]) -> compositions.Running:
    state = str(row.get("State") or "")
    published = {
        f"{entry.get('URL') or '127.0.0.1'}:{entry['PublishedPort']}"
        for entry in foreign_json.mappings(row.get("Publishers"))
        if entry.get("PublishedPort")
    }
    return compositions.Running(
        str(row.get("Service")),
        state,
        str(row.get("Health") or ""),
        None
        if state in {"running", "restarting", "created"}
        else foreign_json.number(row.get("ExitCode"), 0),
        tuple(sorted(published)),
    )


def _run(
    command: Sequence[str], folder: Path, data: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    try:
        with errors.starting(command[0]):
            return subprocess.run(
                command,
                cwd=folder,
                env=_environment(),
                input=data,
                capture_output=True,
                check=False,
                timeout=_PATIENCE,
            )
    except subprocess.TimeoutExpired as error:
        raise errors.Unreachable("local.no-daemon", reason=f"{_PATIENCE:.0f} s") from error


def _feed(process: subprocess.Popen[bytes], data: bytes) -> None:
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):  # it has ended, and its exit code says why
            process.stdin.write(data)
            process.stdin.close()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _DROPPED}


def _reason(output: bytes) -> str:
    """The last thing that a program said that has failed."""
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines()]
    return " ".join(line for line in lines[-3:] if line)[:_LONGEST] or "-"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Have a program end as by Ctrl-C, which a terminal has sent it already; it is killed if it does not."""
    waits: tuple[tuple[Callable[[], None], float], ...] = (
        (lambda: process.send_signal(signal.SIGINT), _ENDING),
        (process.kill, _ENDING),
    )
    for send, patience in waits:
        if process.poll() is not None:
            break
        send()
        # Another Ctrl-C ends the waiting only, and what comes next is the kill.
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            process.wait(patience)
    if process.stdout is not None:
        process.stdout.close()
