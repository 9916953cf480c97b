"""Why a SealedSecret was not unsealed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from hanbae import patterns
from hanbae.diagnosing import pictures

_UNDECRYPTABLE: Final = patterns.lazy(
    r"(?:no key could decrypt secret|illegal base64 data|ciphertext too short|decryption error)"
    r"[^(]*(?:\((?P<keys>[^)]*)\))?"
)
_UNMANAGED: Final = patterns.lazy(r"already exists and is not managed by SealedSecret")

_LONGEST: Final = 4096
"""Characters of a message that are looked at."""


def causes(picture: pictures.Picture) -> Iterator[pictures.Cause]:
    """The causes in all SealedSecrets of the picture."""
    for ref, sealed in picture.of("SealedSecret"):
        synced = pictures.condition(sealed, "Synced")
        status = sealed.get("status") or {}
        # A condition of an earlier generation says nothing of the present one, which the controller
        # has not looked at yet.
        stale = int(status.get("observedGeneration") or 0) < int(
            sealed["metadata"].get("generation") or 0
        )
        if synced.get("status") != "False" or stale:
            continue
        message = (synced.get("message") or "")[:_LONGEST]
        facts = {"secret": ref.name, "namespace": ref.namespace, "message": message}
        describe = ("kubectl", "describe", "sealedsecret", ref.name, "-n", ref.namespace)
        undecryptable = _UNDECRYPTABLE.search(message)
        if undecryptable:
            # A controller's words become arguments of a command, so only what can be a key of a
            # Secret is taken.
            keys = re.findall(r"[-._A-Za-z0-9]+", undecryptable["keys"] or "")
            facts["keys"] = undecryptable["keys"] or "-"
            command = (picture.seals(ref.name, keys) if keys else ()) or describe
            yield pictures.cause(ref, "diagnosis.undecryptable", facts, command, fatal=True)
        elif _UNMANAGED.search(message):
            command = ("kubectl", "get", "secret", ref.name, "-n", ref.namespace, "-o", "yaml")
            yield pictures.cause(ref, "diagnosis.secret-unmanaged", facts, command, fatal=True)
        else:
            yield pictures.cause(ref, "diagnosis.not-unsealed", facts, describe, fatal=False)
