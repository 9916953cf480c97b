"""Why an image cannot be pulled: not there, not allowed, or not reached.

The kubelet gives one reason (``ErrImagePull``, then ``ImagePullBackOff``) for three causes that people mend in
three different places, so containerd's sentence is read.
A registry that hides what one may not see says "not found" for both, and then so do we.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from hanbae import patterns

Kind = Literal["not-found", "unauthorised", "unreachable", "unknown"]

REASONS: Final = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
    }
)
PULLED: Final = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"})
"""Those for which a registry was asked."""
# In this order: a registry that refuses a login often adds that the image may not exist.
_KINDS: Final[tuple[tuple[Kind, re.Pattern[str]], ...]] = (
    (
        "unauthorised",
        patterns.lazy(
            r"(?i)unauthori[sz]ed|authentication required|no basic auth|failed to authorize"
            r"|authorization failed|access denied|insufficient_scope|forbidden"
        ),
    ),
    (
        "not-found",
        patterns.lazy(r"(?i)not found|manifest unknown|name unknown|no match for platform"),
    ),
    (
        "unreachable",
        patterns.lazy(
            r"(?i)dial tcp|connection refused|i/o timeout|no such host|no route to host|timed? ?out"
            r"|TLS handshake|x509|certificate|\bEOF\b|connection reset|\b50[0234] [A-Z]"
        ),
    ),
)


def kind(message: str) -> Kind:
    """The cause behind a failed pull, from the container runtime's sentence."""
    return next((name for name, pattern in _KINDS if pattern.search(message)), "unknown")


def is_settled(
    unread_secrets: Sequence[Mapping[str, Any]], failures: Sequence[Mapping[str, Any]]
) -> bool:
    """Whether a registry's refusal is its last word.

    On a busy node the kubelet may miss a Secret that is there, for its cache has not seen it yet, and asks without it;
    the next attempt, ten seconds later, has it.

    Args:
        unread_secrets: The pod's warnings that a pull secret could not be read.
        failures: Its warnings that something failed, those about pulls among them.
    """
    pulls = (event for event in failures if "pull image" in (event.get("message") or ""))
    return not unread_secrets or sum(map(_count, pulls)) > 1


def _count(event: Mapping[str, Any]) -> int:
    # Events of the newer API count in their series.
    count = event.get("count") or (event.get("series") or {}).get("count")
    return count if isinstance(count, int) else 1
