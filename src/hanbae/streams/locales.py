"""The language of children whose words are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ENGLISH: Final[Mapping[str, str]] = {"LC_ALL": "C", "LANGUAGE": ""}
"""Variables that have a child speak English; LANGUAGE, which hanbae sets for itself too, may win over the locale."""
