"""SHA-256 of what is planned, so that two plans, or a plan and a deployment, can be told to be of the same content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

from hanbae.charts import rendering


def of(value: Any) -> str:
    """SHA-256 of a value as JSON, whatever the order of its mappings."""
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()


def of_manifests(manifests: Iterable[rendering.Manifest]) -> str:
    """SHA-256 of rendered objects in their order; comments and layout do not count."""
    return of([manifest.object for manifest in manifests])
