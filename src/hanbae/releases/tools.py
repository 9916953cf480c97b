"""Which migration tool a container runs, by the names under which people call them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from hanbae import patterns
from hanbae.policy import naming
from hanbae.releases import invocations, shells

GOOSE: Final = "goose"
RUNNER: Final = naming.RUNNER
OF_GOOSE: Final = frozenset({GOOSE, RUNNER})
"""Tools that run goose's files, keep its table, and take its commands."""
UNKNOWN: Final = "unknown"
"""A container that migrates by its name, with a program that is not known."""


class Tool(Struct, frozen=True):
    """How a tool is called.

    Attributes:
        name: The tool.
        program: Its program.
        words: Words that its arguments have when it migrates; one of them is enough, none are asked for by ``()``.
        images: Ends of the names of its images, whose entry point it is.
    """

    name: str
    program: str
    words: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


_TOOLS: Final = (
    Tool("flyway", "flyway", ("migrate", "repair"), ("flyway/flyway", "redgate/flyway")),
    Tool("liquibase", "liquibase", ("update", "updateToTag", "update-to-tag"), ("liquibase",)),
    Tool(
        "golang-migrate",
        "migrate",
        ("up", "goto", "-database", "-source", "-path"),
        ("migrate/migrate",),
    ),
    Tool("prisma", "prisma", ("migrate", "push")),
    Tool("alembic", "alembic", ("upgrade",)),
    Tool("atlas", "atlas", ("migrate", "schema"), ("arigaio/atlas",)),
    Tool("dbmate", "dbmate", ("up", "migrate"), ("amacneil/dbmate",)),
    Tool("sqitch", "sqitch", ("deploy",), ("sqitch/sqitch",)),
    Tool("rails", "rails", ("db:migrate", "db:prepare", "db:schema:load")),
    Tool("rails", "rake", ("db:migrate", "db:prepare", "db:schema:load")),
    Tool("django", "manage.py", ("migrate",)),
    Tool("flask", "flask", ("db",)),
    Tool("knex", "knex", ("migrate:latest", "migrate:up")),
    Tool("typeorm", "typeorm", ("migration:run",)),
    Tool("sequelize", "sequelize", ("db:migrate",)),
    Tool("sequelize", "sequelize-cli", ("db:migrate",)),
)
_IMAGES: Final = frozenset(end.rpartition("/")[2] for tool in _TOOLS for end in tool.images)
"""How the images of tools are called, without what is before the last slash."""
_RUNNERS: Final = frozenset(
    (
        *("bun", "bundle", "bundler", "dotnet", "node", "npm", "npx", "pnpm", "poetry", "python"),
        *("python3", "uv", "uvx", "yarn", "exec", "run", "-m", "--"),
    )
)
"""Programs, and words of theirs, that run another program."""
_MIGRATES: Final = patterns.lazy(
    r"(?:^|[^a-z])migrat(?:e|es|ion|ions|or)(?:$|[^a-z])", re.IGNORECASE
)


def other(invocation: invocations.Invocation, image: str) -> str:
    """The tool besides goose that an invocation runs to migrate; empty for none.

    Args:
        invocation: The invocation.
        image: The container's image, whose entry point runs where the container names no program.
    """
    words = [shells.literal(word) or "" for word in invocation.words]
    if not invocation.is_named:
        folder, slash, last = image.partition("@")[0].rpartition("/")
        last = last.partition(":")[0]
        if last not in _IMAGES:  # as nearly every image
            return ""
        repository = f"{folder}{slash}{last}"
        return next(
            (tool.name for tool in _TOOLS if _is_of(tool, repository) and _asks(tool, words)), ""
        )
    position = 0
    # `python -m alembic upgrade head`, `bundle exec rails db:migrate`: what runs the program is passed over.
    while position < len(words) - 1 and words[position].rpartition("/")[2] in _RUNNERS:
        position += 1
    program = words[position].rpartition("/")[2] if words else ""
    rest = words[position + 1 :]
    return next((tool.name for tool in _TOOLS if tool.program == program and _asks(tool, rest)), "")


def is_migration_by_name(*names: str) -> bool:
    """Whether one of some names says that something migrates: ``auth-migrate``, ``migrator``."""
    return any(_MIGRATES.search(name) for name in names)


def _is_of(tool: Tool, repository: str) -> bool:
    return any(repository == end or repository.endswith(f"/{end}") for end in tool.images)


def _asks(tool: Tool, words: Sequence[str]) -> bool:
    # A flag may have its value behind an equals sign: `-database=postgres://…`.
    return not tool.words or any(word.partition("=")[0] in tool.words for word in words)
