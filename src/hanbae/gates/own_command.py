"""A command of the team's own decides an item: a program of this machine, by the code that it leaves with.

It runs in an empty folder and knows nothing of this process but where programs and the kubeconfig are: no token of the
user's, and no file of a branch. Its end is waited for no longer than the policy says, and what it has started ends
with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from hanbae import excerpts, files
from hanbae.gates import targets, verdicts
from hanbae.policy import documents, naming

_MOST: Final = 64 * 1024
"""Bytes of what it prints that are kept: the last ones."""
_MOST_LINES: Final = 5
_LONGEST: Final = 300
_HANDED_ON: Final = ("PATH", "HOME", "KUBECONFIG", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE")


class Ended(Struct, frozen=True):
    """How a program has ended.

    Attributes:
        facts: Facts of the sentences about it.
        lines: The last lines that it has printed, as they may be shown.
        code: The code that it left with; None where it took too long.
        seconds: How long it was waited for.
    """

    facts: dict[str, str]
    lines: tuple[str, ...]
    code: int | None
    seconds: int

    @property
    def reason(self) -> tuple[str, dict[str, str]] | None:
        """Why it has not done what it was to do: a text's id and its facts; None where it left with 0."""
        facts = {**self.facts, "log": "\n".join(self.lines)}
        if self.code is None:
            return "gate.command-slow", {**facts, "seconds": str(self.seconds)}
        return ("gate.command-failed", {**facts, "code": str(self.code)}) if self.code else None


async def decide(item: documents.Item, target: targets.Target) -> verdicts.Verdict:
    """Whether the command of an item leaves with 0."""
    ended = await run(item.command, item.command, target, within=item.timeout)
    if isinstance(ended, verdicts.Verdict):
        return ended
    if ended.reason is not None:
        text_id, facts = ended.reason
        return verdicts.failed(text_id, **facts)
    return verdicts.passed("gate.command-passed", **ended.facts, log="\n".join(ended.lines))


async def run(
    named: tuple[str, ...],
    words: tuple[str, ...],
    target: targets.Target,
    *,
    within: str,
    handed_on: tuple[str, ...] = (),
) -> Ended | verdicts.Verdict:
    """Run a program that the policy names, unless only a branch's does.

    Args:
        named: The words as the policy has them, by which they are trusted.
        words: The words with their placeholders filled.
        target: For whom.
        within: How long it may run.
        handed_on: Variables of this process that it is given besides those that every one is.

    Returns:
        How it has ended, or why it was not run.
    """
    facts = {"command": excerpts.one_line(" ".join(words), _LONGEST)}
    if target.trusted is None:
        return verdicts.undecided("gate.command-unknown", **facts)
    if named not in target.trusted.commands:
        return verdicts.undecided("gate.command-untrusted", **facts)
    program = _program(words[0], target.trusted.root)
    if program is None:
        return verdicts.undecided("gate.no-program", **facts, program=words[0])
    seconds = naming.seconds(within)
    variables = _variables(target, (*_HANDED_ON, *handed_on))
    with tempfile.TemporaryDirectory(prefix="hanbae-command-") as folder:
        try:
            code, output = await _run([program, *words[1:]], folder, variables, seconds)
        except OSError as error:  # such as a script without `#!`, or whose interpreter is not here
            reason = files.reason(error)
            return verdicts.undecided(
                "gate.command-unstarted", **facts, program=program, why=reason
            )
    lines = [line for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    excerpt = [
        excerpts.one_line(line, _LONGEST, redact=target.redact) for line in lines[-_MOST_LINES:]
    ]
    return Ended(facts, tuple(excerpt), code, seconds)


def _program(name: str, root: Path) -> str | None:
    """Where ``PATH`` has a program; None where it is nowhere, or in the repository."""
    # A relative folder of PATH would be looked for in the current one, which may be the clone.
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    program = shutil.which(name, path=os.pathsep.join(filter(os.path.isabs, folders)))
    # By what it leads to: a link on PATH may lead into the clone.
    if program is None or Path(program).resolve().is_relative_to(root):
        return None
    return program


def _variables(target: targets.Target, handed_on: tuple[str, ...]) -> dict[str, str]:
    variables = {name: os.environ[name] for name in handed_on if name in os.environ}
    return variables | {
        "HANBAE_SERVICE": target.source.service,
        "HANBAE_ENVIRONMENT": target.source.environment,
        "HANBAE_REVISION": target.source.revision.commit,
    }


async def _run(
    words: list[str], folder: str, variables: dict[str, str], seconds: float
) -> tuple[int | None, bytes]:
    """The code that a program leaves with, None where it takes too long, and the end of what it prints."""
    with _output() as (pipe, output):
        process = await asyncio.create_subprocess_exec(
            *words,
            cwd=folder,
            env=variables,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=pipe,
            stderr=asyncio.subprocess.STDOUT,
            # A group of its own, which can be ended with all that the program has started.
            start_new_session=True,
        )
        code = None
        try:
            async with asyncio.timeout(seconds):
                code = await process.wait()
        except TimeoutError:
            pass
        finally:
            # After the program has left as well: something that it has started may still run.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return code, bytes(output)


@contextlib.contextmanager
def _output() -> Iterator[tuple[int, bytearray]]:
    """A pipe to print into, and the last of what was printed into it by the end of the block.

    The pipe is not read to its end: what a program has started may hold it open long after the program has left.
    """
    loop = asyncio.get_running_loop()
    tail = bytearray()

    def take() -> None:
        with contextlib.suppress(BlockingIOError):
            tail.extend(os.read(reading, _MOST))
            del tail[:-_MOST]

    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    loop.add_reader(reading, take)  # as it comes, so that no full pipe holds the program up
    try:
        yield writing, tail
        take()
    finally:
        loop.remove_reader(reading)
        os.close(reading)
        os.close(writing)
