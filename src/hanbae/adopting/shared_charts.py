"""Charts that several services share: each has an Application of its own, and values apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from hanbae.adopting import environments, naming_patterns
from hanbae.adopting.surveyed_applications import Application


def services(applications: Iterable[Application]) -> dict[str, str]:
    """The Applications of charts that one environment deploys more than once: Application → service.

    Args:
        applications: The Applications of this repository.
    """
    by_folder: dict[str, list[Application]] = {}
    for application in applications:
        by_folder.setdefault(application.path, []).append(application)
    named: dict[str, str] = {}
    for own in by_folder.values():
        words = [word(application) for application in own]
        if max(Counter(words).values()) > 1:
            named |= _named(own, words)
    return named


def word(application: Application) -> str:
    """The environment that an Application is of, by what it is called and reads; empty where nothing says."""
    texts = (*application.value_files, application.name, application.namespace)
    texts += (application.revision,)
    return next(filter(None, map(environments.in_text, texts)), "")


def _named(own: Sequence[Application], words: Sequence[str]) -> dict[str, str]:
    """What is left of the Applications' names without the environments; nothing where that tells none apart."""
    names = {
        application.name: _without(application.name, environment)
        for application, environment in zip(own, words, strict=True)
    }
    keys = Counter(
        (names[application.name], environment)
        for application, environment in zip(own, words, strict=True)
    )
    usable = all(map(naming_patterns.is_service, names.values()))
    return names if usable and max(keys.values()) == 1 else {}


def _without(name: str, part: str) -> str:
    pieces = [piece for piece in re.split(r"[^a-z0-9]+", name.lower()) if piece != part]
    return "-".join(filter(None, pieces))
