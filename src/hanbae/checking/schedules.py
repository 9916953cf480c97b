"""The services of a check that are still to be inspected, and what there was in the others.

Coroutines of this process and further processes take from one schedule and finish what they took, in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from hanbae.charts import pools
from hanbae.checking import inspecting, result_cache
from hanbae.rules import rulebook, views

AHEAD: Final = 2
"""Services that are read while others are rendered, so that no worker waits; more would only cost memory."""
_PASSING: Final = frozenset({"render.died", "render.took-too-long", "check.rule-failed"})
"""What may be otherwise next time, and is therefore not kept."""
Progress = Callable[[int, int], None]
"""Called with the number of services that have been inspected, and of all."""


class Schedule:
    """Which services are to be inspected, and the inspections of those that have been.

    Args:
        services: The services, in the order in which the result is wanted.
        progress: Called whenever a service has been inspected.
    """

    def __init__(self, services: Sequence[str], progress: Progress | None = None) -> None:
        self._services = tuple(services)
        self._progress = progress
        self._waiting = list(reversed(self._services))
        self._inspections: dict[str, inspecting.Inspection] = {}

    @property
    def waiting(self) -> int:
        """How many services nobody has taken."""
        return len(self._waiting)

    def take(self, most: int = 1, *, elsewhere: bool = False) -> list[str]:
        """Up to so many services, in their order; whoever takes them finishes them or gives them back.

        Args:
            most: How many at most.
            elsewhere: They are sent to another process. A folder's name may be any bytes, and one that is no text is
                inspected here.
        """
        names: list[str] = []
        passed: list[str] = []
        while self._waiting and len(names) < most:
            name = self._waiting.pop()
            (passed if elsewhere and not _is_text(name) else names).append(name)
        self.give_back(passed)
        return names

    def give_back(self, services: Sequence[str]) -> None:
        """Let somebody else inspect services that were taken."""
        self._waiting.extend(reversed(services))

    def finish(self, service: str, inspection: inspecting.Inspection) -> None:
        """Record what there is in a service."""
        self._inspections[service] = inspection
        if self._progress is not None:
            self._progress(len(self._inspections), len(self._services))

    def recall(self, inspections: Mapping[str, inspecting.Inspection]) -> None:
        """Record what an earlier check has found; no progress, for it took no time."""
        self._inspections.update(inspections)
        self._waiting = [name for name in self._waiting if name not in inspections]

    def inspections(self) -> list[inspecting.Inspection]:
        """The inspections in the order of the services; only when all are finished."""
        return [self._inspections[name] for name in self._services]


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


async def work(
    schedule: Schedule,
    pool: pools.Pool,
    project: views.Project,
    rules: Sequence[rulebook.Rule],
    cache: result_cache.ResultCache,
) -> None:
    """Inspect services as long as some are waiting, and keep what is found for another check.

    Args:
        schedule: The services.
        pool: Renders.
        project: The repository.
        rules: The rules.
        cache: Where results are kept.
    """
    while services := schedule.take():
        (name,) = services
        # One of its own for each service: an entry rests on what that service's rules asked for,
        # and nothing else.
        recording = result_cache.Recording(project)
        inspection = await inspecting.inspect(pool, recording.project, name, rules)
        if not any(finding.text.id in _PASSING for finding in inspection.findings):
            cache.keep(name, recording, inspection)
        schedule.finish(name, inspection)
