"""Secrets that a controller of Kubernetes fills with a credential, whoever's objects they are among."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae.rules import rulebook, views
from hanbae.rules.kubernetes import shapes

_SOURCE: Final = (
    "https://kubernetes.io/docs/concepts/configuration/secret/#serviceaccount-token-secrets"
)
# The token controller puts a token that never expires into the first; a kubelet joins the cluster with the second.
_TYPES: Final = frozenset({"kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"})
# Kind → where the type of the Secret stands that it is or makes.
_MAKERS: Final[dict[str, views.Pointer]] = {
    "Secret": ("type",),
    "SealedSecret": ("spec", "template", "type"),
    "ExternalSecret": ("spec", "target", "template", "type"),
    "ClusterExternalSecret": ("spec", "externalSecretSpec", "target", "template", "type"),
}


@rulebook.of_release("KUB037", "error", source=_SOURCE, essential=True)
def lasting_token(release: views.Release) -> Iterator[rulebook.Hit]:
    """A Secret that would hold a lasting token of a ServiceAccount, of any in the namespace.

    An AppProject that blocks the kind Secret does not block it: a SealedSecret brings it as well.
    """
    for manifest in release.of_kind(*_MAKERS):
        pointer = _MAKERS[manifest.kind]
        kind = manifest.get(*pointer)
        if isinstance(kind, str) and kind.strip() in _TYPES:
            facts = {"object": manifest.label, "type": kind.strip(), "field": shapes.shown(pointer)}
            yield rulebook.Hit(views.On(manifest, pointer), facts)
