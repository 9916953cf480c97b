"""Takes out findings about Secrets that nothing makes where another service's release makes them after all.

No release shows it by itself: it is known once all of a check's services were inspected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from hanbae.policy import documents, naming
from hanbae.results import findings
from hanbae.rules import claims

_CODE: Final = "SEC001"
_MAKERS: Final = frozenset({"Secret", "SealedSecret", "ExternalSecret"})

Claimed = Iterable[tuple[claims.Owner, Iterable[claims.Claim]]]
"""Each release's claims, as of :func:`hanbae.rules.claims.clashes`."""


def without(
    located: Iterable[findings.Finding], claimed: Claimed, policy: documents.Policy
) -> Iterator[findings.Finding]:
    """The findings but for those about a Secret that another release makes in the same namespace and environment.

    Args:
        located: The findings.
        claimed: Which release has which objects.
        policy: The policy, which says where a service is that has no Secret of its own.
    """
    makers: dict[tuple[str, str, str], set[str]] = {}
    for (service, environment), own in claimed:
        for claim in own:
            _, _, kind, namespace, name = claim.key  # the cluster follows from the environment
            if kind in _MAKERS:
                makers.setdefault((environment, namespace, name), set()).add(service)
    for finding in located:
        if finding.code == _CODE and finding.environments:
            name = finding.text.facts.get("secret", "")
            places = [
                (environment, _namespace(policy, finding, environment), name)
                for environment in finding.environments
            ]
            if all(makers.get(place, set()) - {finding.service} for place in places):
                continue
        yield finding


def _namespace(policy: documents.Policy, finding: findings.Finding, environment: str) -> str:
    """Where the Secret is read: a finding that is at a line of the values is about the release's own."""
    if finding.object is not None:
        return finding.object.namespace
    return naming.namespace(policy, finding.service, environment)
