"""The history with a million events: how long an append takes, a list, and one deployment."""

from __future__ import annotations

import functools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from bench.rows import Row

from hanbae import subjects, wording
from hanbae.history import protocol, stored_events, stores
from hanbae.results import events, plans

DEPLOYMENTS = 20_000
EVENTS = 50
RUNS = 30
_AT_ONCE = 500
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_POD = subjects.Ref("Pod", "services-production", "auth-service-7c9f8d6b5-x2x4q")
_SERVICES = [f"service-{number:03}" for number in range(100)]
_ENVIRONMENTS = ("dev", "staging", "production")


def history() -> list[Row]:
    """Both stores, each with a million events."""
    from tests.support import postgresql

    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows += _measured("SQLite", f"sqlite:///{folder / 'history.db'}", "5 ms")
        (folder / "server").mkdir()
        with postgresql.running(folder / "server", durable=True) as server:
            parts = urlsplit(server)
            url = f"postgresql://postgres@{parts.hostname}:{parts.port}{parts.path}"
            with _variables(HANBAE_HISTORY=url, PGPASSWORD=postgresql.PASSWORD):
                rows += _measured("PostgreSQL", url, "10 ms")
    return rows


def _measured(kind: str, url: str, bar: str) -> list[Row]:
    with stores.open_store(url) as store:
        _fill(store)
        name = f"d{DEPLOYMENTS // 2:06}"
        store.append("fresh", None, _opened(0), _BEGAN)
        row_of = {
            f"history in {kind}, append": (
                lambda: store.append("fresh", None, events.Intended("k"), _BEGAN),
                bar,
            ),
            f"history in {kind}, list": (store.deployments, "200 ms"),
            f"history in {kind}, list of a service in an environment": (
                lambda: store.deployments(service=_SERVICES[7], environment="production"),
                "200 ms",
            ),
            f"history in {kind}, last of each service": (
                lambda: store.last("production"),
                "200 ms",
            ),
            f"history in {kind}, show": (
                lambda: store.events(store.find(name)),
                "200 ms",
            ),
        }
        return [
            Row(title, _median(work), None, limit, RUNS) for title, (work, limit) in row_of.items()
        ]


def _median(work: Callable[[], object]) -> float:
    figures = []
    for _ in range(RUNS):
        began = time.perf_counter()
        work()
        figures.append(time.perf_counter() - began)
    return statistics.median(figures)


def _fill(store: stores.Store) -> None:
    """Add the events, many in a transaction: filling is not what is measured."""

    def work(execute: protocol.Execute, numbers: range) -> None:
        for number in numbers:
            for event in _stream(number):
                execute(stores._INSERT, stores._row(event, stored_events.encode(event)))  # noqa: SLF001

    for first in range(0, DEPLOYMENTS, _AT_ONCE):
        numbers = range(first, first + _AT_ONCE)
        adding = functools.partial(work, numbers=numbers)
        store._database.transaction(adding, deployment="d")  # noqa: SLF001


def _stream(number: int) -> list[events.Event]:
    opened = _BEGAN + timedelta(minutes=10 * number)
    facts: list[events.Fact] = [_opened(number)]
    facts += [events.Logged(_POD, "app", "x" * 120)] * (EVENTS - 2)
    facts.append(events.Closed("succeeded", wording.Text("deploy.done")))
    return [
        events.Event(f"d{number:06}", seq, opened + timedelta(seconds=seq), None, fact)
        for seq, fact in enumerate(facts, 1)
    ]


def _opened(number: int) -> events.Opened:
    change = plans.Change(_POD, "changed", (plans.Field("spec.image", "a" * 80, "b" * 80),))
    plan = plans.Plan(
        1,
        _SERVICES[number % len(_SERVICES)],
        _ENVIRONMENTS[number % len(_ENVIRONMENTS)],
        steps=(),
        forecast=(change,) * 12,
    )
    return events.Opened(plan, "ann@example.com", f"{number:040x}")


@contextmanager
def _variables(**values: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
