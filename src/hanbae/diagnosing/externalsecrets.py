"""Why what an ExternalSecret refers to was not fetched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae import excerpts, subjects
from hanbae.diagnosing import pictures
from hanbae.releases import external_secrets

_LONGEST: Final = 300
"""Characters of what the operator says that are told."""
_PATIENCE_S: Final = 60.0
"""Seconds in which an operator that runs has come to a new ExternalSecret."""


def causes(picture: pictures.Picture) -> Iterator[pictures.Cause]:
    """The causes in all ExternalSecrets of the picture."""
    for ref, live in picture.of("ExternalSecret"):
        state, _, message = external_secrets.state(live)
        facts = {
            "secret": external_secrets.secret(live),
            "namespace": ref.namespace,
            "object": ref.name,
            "stores": ", ".join(external_secrets.stores(live)) or "-",
            "message": _message(picture, ref, message),
        }
        describe = ("kubectl", "describe", "externalsecret", ref.name, "-n", ref.namespace)
        if state == "NotSynced":
            # The operator tries again by itself.
            yield pictures.cause(ref, "diagnosis.not-fetched", facts, describe, fatal=False)
        elif (
            not pictures.condition(live, "Ready")
            and picture.age(live["metadata"].get("creationTimestamp")) > _PATIENCE_S
        ):
            gets = ("kubectl", "get", "pods", "-A", "-l", "app.kubernetes.io/name=external-secrets")
            yield pictures.cause(ref, "diagnosis.operator-silent", facts, gets, fatal=False)


def _message(picture: pictures.Picture, ref: subjects.Ref, message: str) -> str:
    """What the operator says: its condition says only that it could not, and an event for which entry, and why."""
    warnings = picture.events(ref, "UpdateFailed")
    why = str(warnings[-1].get("message") or "") if warnings else ""
    return ": ".join(excerpts.clipped(text, _LONGEST) for text in (message, why) if text) or "-"
