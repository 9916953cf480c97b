"""Completes services and environments for the shell; silent where there is no policy, or one with a fault."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click


def services(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The services of the repository that begin like this."""
    from hanbae import errors
    from hanbae.policy import loading
    from hanbae.repository import services as repository_services

    with contextlib.suppress(errors.Error, OSError):
        loaded = loading.load(loading.find(_folder(context)))
        names = repository_services.of_checkout(loaded)
        return [name for name in names if name.startswith(incomplete)]
    return []


def environments(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The environments of the policy that begin like this."""
    from hanbae import errors
    from hanbae.policy import loading

    with contextlib.suppress(errors.Error, OSError):
        loaded = loading.load(loading.find(_folder(context)))
        return [name for name in loaded.policy.environments if name.startswith(incomplete)]
    return []


def _folder(context: click.Context) -> Path:
    # For completion, click parses the options (`-C`) but runs no command, so there is no Session yet.
    return Path(context.find_root().params.get("directory") or Path()).resolve()
