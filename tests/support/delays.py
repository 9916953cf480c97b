"""How soon after the cluster a cause is named."""

from __future__ import annotations

import contextlib
import re
import subprocess
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from tests.support import crashing, faults, scenes

from hanbae.results import events

_COLUMNS: Final = {
    "pods": "W:.status.containerStatuses[*].state.waiting.reason,"
    "T:.status.containerStatuses[*].state.terminated.reason,"
    "L:.status.containerStatuses[*].lastState.terminated.reason,"
    "C:.status.conditions[*].reason",
    "jobs": "C:.status.conditions[*].type,R:.status.conditions[*].reason",
    "events": "R:.reason,C:.count,M:.message",
    "sealedsecrets": "C:.status.conditions[*].status",
}
"""What an independent watcher looks at, beside the name."""


@dataclass(frozen=True)
class Named:
    """What came of a run.

    Attributes:
        ended: The command.
        after: Service → seconds from an independent watcher's sight of the cluster's word to the recorded cause.
    """

    ended: scenes.Ended
    after: dict[str, float]


def deploy(scene: scenes.Scene, services: Collection[str] = tuple(faults.FAULTS)) -> Named:
    """Deploy them side by side, and see when what was named.

    Raises:
        AssertionError: The cluster never said the word, or the cause was never named.
    """
    before = set(crashing.events_of(scene))
    with contextlib.ExitStack() as stack:
        watched = {
            kind: stack.enter_context(watching(scene, kind, columns))
            for kind, columns in _COLUMNS.items()
        }
        # What is not fatal goes on until then. On a busy machine thirteen services need a minute to begin at all, and
        # the slowest cause comes 35 s later.
        ended = scene.deploy(*services, "--timeout", "180", "--no-preflight")
    recorded = {}
    for deployment, happened in crashing.events_of(scene).items():
        if deployment not in before and isinstance(happened[0].fact, events.Opened):
            recorded[happened[0].fact.plan.service] = happened
    after = {}
    for service in services:
        fault = faults.FAULTS[service]
        word = re.compile(rf"^{service}-.*{fault.word}")
        sighted = next((stamp for stamp, line in watched[fault.kind] if word.search(line)), None)
        named = next(
            (
                event.at
                for event in recorded.get(service, ())
                if isinstance(event.fact, events.Diagnosed) and event.fact.cause.id in fault.causes
            ),
            None,
        )
        if sighted is None or named is None:
            lines = "\n".join(line for _, line in watched[fault.kind] if line.startswith(service))
            raise AssertionError(f"{service}: seen {sighted}, named {named}\n{lines}\n{ended.err}")
        after[service] = (named - sighted).total_seconds()
    return Named(ended, after)


@contextlib.contextmanager
def watching(scene: scenes.Scene, kind: str, columns: str) -> Iterator[list[tuple[datetime, str]]]:
    """What kubectl prints of a kind as it watches, with the time at which it did.

    Args:
        scene: Where it looks: in the namespace of its services.
        kind: The kind, as kubectl names it.
        columns: Custom columns beside the name, as kubectl takes them.
    """
    sandbox = scene.shop.sandbox
    name = ".involvedObject.name" if kind == "events" else ".metadata.name"
    command = [
        *(str(sandbox.binaries.path("kubectl")), f"--kubeconfig={sandbox.kubeconfig}"),
        *("get", kind, "-n", scene.namespace(faults.LIKE), "--watch", "--no-headers"),
        *("-o", f"custom-columns=N:{name},{columns}"),
    ]
    lines: list[tuple[datetime, str]] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        output = process.stdout
        if output is None:
            raise AssertionError(command)

        def read() -> None:
            lines.extend((datetime.now(UTC), line) for line in output)

        reader = threading.Thread(target=read)
        reader.start()
        try:
            yield lines
        finally:
            process.kill()
            reader.join()
