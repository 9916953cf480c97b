"""goose's files, their order across branches, and the databases that a chart declares."""

from hanbae.rules.migrations import (
    branches,
    databases,
    drivers,
    folders,
    images,
    jobs,
    runs,
    statements,
)

__all__ = [
    "branches",
    "databases",
    "drivers",
    "folders",
    "images",
    "jobs",
    "runs",
    "statements",
]
