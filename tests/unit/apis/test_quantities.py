"""Quantities of Kubernetes, and what only looks like one."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hanbae.apis import quantities
from hanbae.local import limits
from hanbae.rules.kubernetes.validation import pods


@pytest.mark.parametrize(
    ("text", "number"),
    [("500m", "0.5"), ("1Gi", "1073741824"), ("1e3", "1000"), ("9e18", "9e18"), ("1e-9", "1e-9"), (0, "0")],
)  # fmt: skip
def test_quantity_is_a_number(text: object, number: str) -> None:
    assert quantities.quantity(text) == Decimal(number)


@pytest.mark.parametrize(
    "text", ["1e1000000", "1e999999", "-1e999999", "1e-999999", "1e41Ki", "1e1000000m", "nan", "inf", "", "x"]
)  # fmt: skip
def test_what_no_quantity_can_be_is_none(text: str) -> None:
    assert quantities.quantity(text) is None
    assert limits.memory(text) is None
    assert limits.cpus(text) == ""


@pytest.mark.parametrize("amount", ["1e1000000", "1e999999"])
def test_pod_that_asks_for_an_endless_number_is_looked_at(amount: str) -> None:
    resources = {"limits": {"cpu": amount, "example.com/gpu": amount}}
    spec = {"containers": [{"name": "app", "image": "x:1", "resources": resources}]}
    assert list(pods.pod(spec, ())) == []
