"""Every document of a repository by its path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hanbae.handbook import document, facts, reference
from hanbae.handbook.telling import Telling
from hanbae.policy import documents

REFERENCE: Final = "docs/llm/policies/DEPLOYMENT.md"
KOREAN: Final = "docs/policies/DEPLOYMENT.ko.md"
ENGLISH: Final = "docs/policies/DEPLOYMENT.en.md"
PATHS: Final = (REFERENCE, KOREAN, ENGLISH)
MARK: Final = "Written by `hanbae generate docs`"
"""What the first line of a document holds that hanbae wrote, and may write anew."""


def written(policy: documents.Policy, services: Sequence[facts.Service]) -> dict[str, str]:
    """The documents: path relative to the repository → text.

    Args:
        policy: The policy.
        services: Every service, with what it renders.
    """
    english = Telling(policy, services, "en")
    return {
        REFERENCE: reference.text(english),
        KOREAN: document.text(Telling(policy, services, "ko")),
        ENGLISH: document.text(english),
    }


def is_own(text: str) -> bool:
    """Whether hanbae wrote a document."""
    return MARK in text.partition("\n")[0]
