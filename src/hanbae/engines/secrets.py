"""The values that must not be seen, read from the Secret itself where that is permitted.

A value that was rotated is remembered: a log of the old pod still shows it.
Where reading the Secret is not permitted, only what looks like a secret is masked, and that is said once.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from hanbae import confinement, errors, masking, wording
from hanbae.clusters import connections, kinds, reading


class Keeper:
    """Knows the values of one Secret.

    Args:
        cluster: The workload cluster.
        namespace: The Secret's namespace.
        name: Its name.
    """

    def __init__(self, cluster: connections.Cluster, namespace: str, name: str) -> None:
        # From here on plaintext is in this process's memory, and a core dump would
        # write it to disk.
        confinement.forbid_core_dumps()
        self.refusal: wording.Text | None = None
        """What the API server said when it refused to show the Secret."""
        self._cluster = cluster
        self._namespace = namespace
        self._name = name
        self._values: dict[bytes, masking.Masked] = {}
        self._redactor = masking.Redactor()

    def redact(self, text: str) -> str:
        """The text without the Secret's values and without what looks like a secret."""
        return self._redactor(text)

    async def refresh(self) -> None:
        """Read the Secret again; without an answer the values known so far stay."""
        if self.refusal is not None:
            return
        try:
            secret = await reading.get(self._cluster, kinds.SECRET, self._namespace, self._name)
        except errors.Forbidden as error:
            self.refusal = error.text
        except errors.Unreachable:
            return
        else:
            self.learn(secret or {})

    def learn(self, secret: Mapping[str, Any]) -> None:
        """Add the values of a Secret to those that are known."""
        before = len(self._values)
        for encoded in (secret.get("data") or {}).values():
            try:
                plaintext = base64.b64decode(encoded or "")
            except binascii.Error:
                continue
            self._values.setdefault(plaintext, masking.Masked(plaintext))
        # Only for a new value: building a redactor encodes every value in many ways, and the Secret
        # is read again before each container's log.
        if len(self._values) != before:
            self._redactor = masking.Redactor(self._values.values())
