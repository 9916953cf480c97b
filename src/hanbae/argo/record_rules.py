"""Which Secrets the deployer of an environment under Helm may write: Helm's records of its releases, in CEL.

Helm finds its records by listing Secrets, and names each by a number; RBAC knows neither a label nor the beginning of
a name. So it is granted all Secrets of a namespace there, and this takes back what is not Helm's: what the Sealed
Secrets controller or a person has made is not written over.

It cannot take back that they are read, which no admission policy sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from hanbae.argo import authorizing, rulings
from hanbae.policy import documents, naming

TYPE: Final = "helm.sh/release.v1"
"""The type of the Secrets in which Helm keeps its records."""


def variables(
    policy: documents.Policy, environment: str, services: Iterable[authorizing.Service]
) -> dict[str, str]:
    """What the rules ask about: name → expression.

    Args:
        policy: The policy.
        environment: The environment.
        services: The repository's services.
    """
    listed = list(services)
    releases = [
        {
            "namespace": naming.namespace(policy, service.name, environment),
            "prefix": f"sh.helm.release.v1.{naming.release(policy, service.name, environment)}.v",
        }
        for service in listed
    ]
    secrets = [
        {"namespace": naming.namespace(policy, service.name, environment), "name": name}
        for service in listed
        for name in service.secrets
    ]
    return {
        "releases": _list(releases),
        "made": _list(secrets),
        "secret": "request.operation == 'DELETE' ? oldObject : object",
    }


def _list(entries: Iterable[Any]) -> str:
    lines = ",\n".join(f"  {rulings.literal(entry)}" for entry in entries)
    return f"[\n{lines}\n]" if lines else "[]"


def secret() -> Iterator[rulings.Rule]:
    """The rules for Secrets; they need :func:`variables`."""
    yield rulings.rule(
        "the deployer writes only the Secrets in which Helm keeps its records of a service, and those "
        "that its chart makes; for a new service or Secret run hanbae generate rbac again",
        """
        (variables.secret.?type.orValue('') == <<type>> &&
          variables.releases.exists(r, r.namespace == request.namespace &&
            variables.secret.metadata.name.startsWith(r.prefix))) ||
        variables.made.exists(s, s.namespace == request.namespace &&
          s.name == variables.secret.metadata.name)
        """,
        type=TYPE,
    )
