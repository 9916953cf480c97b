"""The words of one language that the documents put between the names; their sentences are in the templates."""

from __future__ import annotations

from functools import cache
from typing import Final, Literal

from hanbae import libyaml
from hanbae.charts import filling

Language = Literal["en", "ko"]
LANGUAGES: Final[tuple[Language, ...]] = ("ko", "en")


@cache
def of(language: Language) -> dict[str, str]:
    """The words of a language, by what they stand for."""
    text = filling.filled("repository/policy-words.yaml", language, {})
    return {key: str(value) for key, value in (libyaml.mapping(text) or {}).items()}
