"""The program of a further process of a check: it is sent services, inspects them, and answers.

It opens the repository by itself, but for the listing of the files and the heads of branches, which it is sent: so it
reads no commit that was fetched after the clone was looked over for damage.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import IO, Final

import msgspec
from msgspec import Struct

from hanbae import garbage, loops
from hanbae.apis import serving
from hanbae.charts import pools
from hanbae.checking import projects, result_cache, schedules, tasks
from hanbae.repository import keeping, trees
from hanbae.rules import own, rulebook, views

# Libraries that are imported where they are first needed, which every inspection comes to.
_LIBRARIES: Final = ("jsonschema_rs", "pygit2", "yaml")


class Task(Struct, frozen=True):
    """What all services of a check have in common.

    Attributes:
        directory: The folder of the policy, or one below it, in the system's bytes: it need not be text.
        revision: The commit that is checked; None for the working tree.
        policy_from: The commit whose policy counts; None for its own.
        now: The time of the check.
        folder: Where results are kept, in bytes likewise; None for nowhere.
        served: Environment → what its cluster says of itself, where it was asked.
        added: Environment → the API versions that the repository adds to its cluster; None to look for them.
        listing: What there is in the working tree; None to look, and for a commit.
        heads: Environment → the commit of its branch, of those that are known; None to look.
    """

    directory: bytes
    revision: str | None
    policy_from: str | None
    now: datetime
    folder: bytes | None
    served: dict[str, serving.Cluster] = {}
    added: dict[str, tuple[str, ...]] | None = None
    listing: trees.Listing | None = None
    heads: dict[str, str] | None = None

    def of(self, project: views.Project) -> Task:
        """The same, with what there is in a repository: all processes have to compare the same."""
        tree = project.tree
        heads = {name: trees.commit_of(branch) for name, branch in project.branches.items()}
        listing = tree.listing() if isinstance(tree, trees.WorkingTree) else None
        return msgspec.structs.replace(self, listing=listing, heads=heads)


def framed(message: bytes) -> bytes:
    """A message as it goes through a pipe: behind its length."""
    return len(message).to_bytes(8, "big") + message


def _received(stream: IO[bytes]) -> bytes | None:
    head = stream.read(8)
    return stream.read(int.from_bytes(head, "big")) if len(head) == 8 else None  # noqa: PLR2004


async def _serve(requests: IO[bytes], replies: IO[bytes]) -> None:
    """Answer until there is nothing more to inspect."""
    async with pools.opened(1) as pool:
        # All that needs no task: it may be some time until there is one.
        await pool.warm()
        rulebook.rules()
        for name in _LIBRARIES:
            importlib.import_module(name)
        task = msgspec.msgpack.decode(_received(requests) or b"", type=Task)
        await _answer(task, pool, requests, replies)


async def _answer(task: Task, pool: pools.Pool, requests: IO[bytes], replies: IO[bytes]) -> None:
    project, _ = projects.opened(
        Path(os.fsdecode(task.directory)),
        task.revision,
        task.policy_from,
        now=task.now,
        listing=task.listing,
        heads=task.heads,
    )
    project = dataclasses.replace(project, served=task.served, added=task.added)
    rules = own.held(project.policy)
    cache = None
    if task.folder is not None:
        cache = keeping.reopened(Path(os.fsdecode(task.folder)))
    results = result_cache.ResultCache(cache, project, rules)
    # Receiving blocks the event loop: between two messages this process has nothing else to do.
    while (message := _received(requests)) is not None:
        schedule = schedules.Schedule(msgspec.msgpack.decode(message, type=list[str]))
        async with tasks.group() as group:
            for _ in range(min(1 + schedules.AHEAD, schedule.waiting)):
                group.create_task(schedules.work(schedule, pool, project, rules, results))
        inspections = schedule.inspections()
        replies.write(framed(msgspec.msgpack.encode(inspections)))
        replies.flush()


def main() -> int:
    """A further process."""
    garbage.collect_rarely()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the parent's to answer
    # The parent has gone, and nobody reads the answer.
    with contextlib.suppress(BrokenPipeError):
        loops.run(_serve(sys.stdin.buffer, sys.stdout.buffer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
