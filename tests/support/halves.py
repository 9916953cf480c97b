"""A plugin of pytest that sets each module of tests up twice: ``./dev test api -p tests.support.halves``.

On several cores whoever is idle takes tests from the others' ends, so one process may run the last tests of a module,
then another module, and then the first ones of the former. What a module's fixtures leave in a server that lives
longer, or what one of its tests takes for granted of another, fails then, and rarely otherwise. Here two
modules at a time run every second test, and then the others.
"""

from __future__ import annotations

import itertools

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests so."""
    modules = [list(tests) for _, tests in itertools.groupby(items, key=lambda test: test.path)]
    pairs = [modules[first : first + 2] for first in range(0, len(modules), 2)]
    items[:] = [
        test for pair in pairs for first in (1, 0) for module in pair for test in module[first::2]
    ]
