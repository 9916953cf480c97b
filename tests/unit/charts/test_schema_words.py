"""What is said of values and their schema is the same each time, or neither a person nor a baseline knows it again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hanbae.charts import pools

NAMES = ("zeta", "beta", "alpha", "omega", "delta", "gamma", "kappa", "sigma")
TEXTS = {name: {"type": "string"} for name in NAMES}
CLOSED = {"closed": {"type": "object", "additionalProperties": False}}
NUMBERS = dict.fromkeys(NAMES, 1)


@pytest.mark.parametrize(
    ("schema", "values"),
    [
        pytest.param({"properties": TEXTS}, NUMBERS, id="wrong types"),
        pytest.param({"properties": CLOSED}, {"closed": NUMBERS}, id="unknown keys"),
        pytest.param({"dependentRequired": {name: ["x"] for name in NAMES}}, NUMBERS, id="lacking"),
        pytest.param({"properties": {name: {"type": 1} for name in NAMES}}, {}, id="schema"),
    ],
)
async def test_faults_come_in_one_order(schema: dict[str, Any], values: dict[str, Any]) -> None:
    chart = {
        "Chart.yaml": b"apiVersion: v2\nname: a\nversion: 1.0.0\n",
        "values.schema.json": json.dumps(schema).encode(),
    }
    errors = set()
    for _ in range(4):  # one of its own each time: a renderer keeps what it has compiled
        async with pools.opened(1) as pool:
            request = pools.Request([pools.Release("r", "n", (json.dumps(values).encode(),))] * 3)
            answers = await pool.render(chart, request, chart="services/a/helm")
            errors |= {answer.error for answer in answers}
    (error,) = errors
    places = [error.find(name) for name in sorted(NAMES) if name in error]
    assert places
    assert places == sorted(places)
