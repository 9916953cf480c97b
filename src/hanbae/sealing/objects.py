"""The object around sealed values: what binds them, and the least of it that a controller needs to open them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hanbae.sealing import encrypting

API_VERSION: Final = "bitnami.com/v1alpha1"
KIND: Final = "SealedSecret"
SCOPES: Final[tuple[encrypting.Scope, ...]] = ("strict", "namespace-wide", "cluster-wide")
ANNOTATIONS: Final[Mapping[encrypting.Scope, str]] = {
    "cluster-wide": "sealedsecrets.bitnami.com/cluster-wide",
    "namespace-wide": "sealedsecrets.bitnami.com/namespace-wide",
}
"""The annotation of a scope, which is ``"true"``; strict has none, and of both the first counts."""


def scope(annotations: Any) -> encrypting.Scope:
    """The scope that a SealedSecret's own annotations say; its template's count for nothing.

    Args:
        annotations: Anything, as a file may hold.
    """
    marks = annotations if isinstance(annotations, Mapping) else {}
    return next(
        (scope for scope, name in ANNOTATIONS.items() if marks.get(name) == "true"), "strict"
    )


def least(
    namespace: str, name: str, scope: encrypting.Scope, encrypted: Mapping[str, str]
) -> dict[str, Any]:
    """A SealedSecret with nothing but its values and what binds them.

    Args:
        namespace: Of the Secret.
        name: Of the Secret.
        scope: How the values are bound.
        encrypted: Key → sealed value.
    """
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if scope in ANNOTATIONS:
        metadata["annotations"] = {ANNOTATIONS[scope]: "true"}
    # The template has the same metadata: where it differs, the controller replaces it by the
    # object's own when it seals anew.
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": metadata,
        "spec": {"encryptedData": dict(encrypted), "template": {"metadata": metadata}},
    }
