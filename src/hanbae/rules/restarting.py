"""What restarts pods when something that they read has changed: a checksum among their annotations, or a controller."""

from __future__ import annotations

from typing import Final

from hanbae.rules import views

ROLLED: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
"""Kinds whose pods are replaced when their template changes, and not before."""
_RELOADER: Final = (
    "reloader.stakater.com/",
    "secret.reloader.stakater.com/",
    "configmap.reloader.stakater.com/",
)
_WORDS: Final = ("checksum", "hash")


def restarts(manifest: views.Object, word: str) -> bool:
    """Whether the pods of an object are restarted when what they read changes.

    Args:
        manifest: The object.
        word: What annotations of a checksum's kind may be called after as well, such as ``secret``.
    """
    if reloads(manifest):
        return True
    own = manifest.get("spec", "template", "metadata", "annotations", default={})
    names = [str(name).lower() for name in own] if isinstance(own, dict) else []
    return any(part in name for name in names for part in (*_WORDS, word))


def reloads(manifest: views.Object) -> bool:
    """Whether a controller restarts the pods of an object when a Secret or ConfigMap changes in the cluster."""
    return any(str(name).startswith(_RELOADER) for name in manifest.annotations)
