"""The measures of delivery as OpenMetrics text, for a textfile collector or a push gateway.

One value for each service in each environment: totals would be counted twice by whoever adds them up.
(https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from hanbae.results import measures

_PREFIX: Final = "hanbae_delivery"

_GAUGES: Final[tuple[tuple[str, str, Callable[[measures.Delivery], float | None]], ...]] = (
    ("changes", "Changes that were deployed.", lambda delivery: delivery.changes),
    (
        "changes_per_day",
        "Changes that were deployed in each day.",
        lambda delivery: delivery.per_day,
    ),
    ("tried", "Changes whose first deployment ended.", lambda delivery: delivery.tried),
    ("failed", "Changes that failed, of those that were tried.", lambda delivery: delivery.failed),
    (
        "failure_ratio",
        "The part of the changes that failed.",
        lambda delivery: delivery.failure_rate,
    ),
    ("unrestored", "Failures that are not restored.", lambda delivery: delivery.unrestored),
)


def text(measured: measures.Measures) -> str:
    """The exposition, its last line ``# EOF``."""
    return "\n".join([*_lines(measured), "# EOF", ""])


def _lines(measured: measures.Measures) -> Iterator[str]:
    services = [delivery for delivery in measured.deliveries if delivery.service]
    for name, meaning, value in _GAUGES:
        yield from _described(name, "gauge", meaning)
        for delivery in services:
            number = value(delivery)
            if number is not None:
                yield f"{_PREFIX}_{name}{_labels(delivery)} {number:g}"
    yield from _described(
        "lead_time_seconds", "summary", "From the first commit of a change to its deployment."
    )
    for delivery in services:
        quantiles = (("0.5", delivery.lead_median), ("0.9", delivery.lead_high))
        yield from _summary("lead_time_seconds", delivery, quantiles, delivery.leads)
    yield from _described(
        "restore_seconds", "summary", "From a failure to the next deployment that succeeded."
    )
    for delivery in services:
        median = (("0.5", delivery.restore_median),)
        yield from _summary("restore_seconds", delivery, median, delivery.restored)
    yield from _described("unreadable_records", "gauge", "Records that cannot be read or counted.")
    yield f"{_PREFIX}_unreadable_records {len(measured.unreadable)}"


def _described(name: str, kind: str, meaning: str) -> Iterator[str]:
    yield f"# TYPE {_PREFIX}_{name} {kind}"
    # OpenMetrics demands that the name of a metric ends with its unit.
    if name.endswith("_seconds"):
        yield f"# UNIT {_PREFIX}_{name} seconds"
    yield f"# HELP {_PREFIX}_{name} {meaning}"


def _summary(
    name: str,
    delivery: measures.Delivery,
    quantiles: Iterable[tuple[str, float | None]],
    count: int,
) -> Iterator[str]:
    for quantile, value in quantiles:
        if value is not None:
            yield f"{_PREFIX}_{name}{_labels(delivery, quantile=quantile)} {value:.3f}"
    yield f"{_PREFIX}_{name}_count{_labels(delivery)} {count}"


def _labels(delivery: measures.Delivery, **more: str) -> str:
    labels = {"environment": delivery.environment, "service": delivery.service, **more}
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
