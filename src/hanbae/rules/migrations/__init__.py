"""goose's files, their order across branches, and the databases that a chart declares."""

from hanbae.rules.migrations import (
    branches,
    contract_steps,
    databases,
    drivers,
    folders,
    images,
    jobs,
    locking,
    runs,
    secret_variables,
    statements,
    ways_back,
)

__all__ = [
    "branches",
    "contract_steps",
    "databases",
    "drivers",
    "folders",
    "images",
    "jobs",
    "locking",
    "runs",
    "secret_variables",
    "statements",
    "ways_back",
]
