"""What an environment's External Secrets operator says of the ExternalSecrets that are rendered for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hanbae import wording
from hanbae.policy import documents, environments
from hanbae.releases import external_secrets
from hanbae.results import secrets
from hanbae.rules import views
from hanbae.rules.secrets import secret_readers

_LONGEST = 300
_ALL = "*"


async def states(
    rendered: Sequence[views.Service],
    policy: documents.Policy,
    names: Sequence[str],
    environment: str,
    *,
    context: str | None = None,
    kubeconfig: Path | None = None,
) -> tuple[secrets.SealedKey, ...]:
    """Each key of the ExternalSecrets with what has become of it; ``made`` where the operator has not come to it yet.

    Args:
        rendered: The services.
        policy: The policy.
        names: The services to ask about; all if there are none.
        environment: The environment.
        context: kubeconfig context instead of the environment's own.
        kubeconfig: kubeconfig instead of the one that kubectl would read.

    Raises:
        hanbae.errors.Unreachable: The cluster did not answer.
        hanbae.errors.WrongUse: It does not have ExternalSecrets.
    """
    from hanbae.clusters import connections, kinds
    from hanbae.clusters import reading as live

    external = [
        (service.name, manifest)
        for service in rendered
        if not names or service.name in names
        for release in [service.releases.get(environment)]
        if release is not None
        for manifest in secret_readers.external(release)
    ]
    if not external:
        return ()
    where = context or environments.workload(policy.environments[environment])
    rows: list[secrets.SealedKey] = []
    async with connections.connect(where, kubeconfig=kubeconfig) as cluster:
        for service, manifest in external:
            present = await live.get(
                cluster, kinds.EXTERNALSECRET, manifest.namespace, manifest.name
            )
            rows += _rows(service, environment, manifest, present)
    return tuple(rows)


def _rows(
    service: str, environment: str, manifest: views.Object, live: Any
) -> Iterator[secrets.SealedKey]:
    state, _, message = external_secrets.state(live or {})
    # What the operator says of another version of the object says nothing of this one.
    if live is None or not external_secrets.refers_alike(live, manifest.data):
        state = "Pending"  # it is of another commit, or not applied at all
    fault = None
    if state == "NotSynced":
        stores = ", ".join(external_secrets.stores(manifest.data)) or "-"
        facts = {"object": manifest.label, "stores": stores, "message": message[:_LONGEST] or "-"}
        fault = wording.Text("seal.refused-by-store", facts)
    by_key = {
        reference.key: str(reference) for reference in external_secrets.references(manifest.data)
    }
    # One that takes a whole entry of its store names no keys.
    for key in sorted(external_secrets.keys(manifest.data) or {_ALL}):
        yield secrets.SealedKey(
            service,
            environment,
            key,
            {"Synced": "fetched", "NotSynced": "refused", "Pending": "made"}[state],  # type: ignore[arg-type]
            "pods",
            fault=fault,
            secret=external_secrets.secret(manifest.data),
            maker=f"{manifest.kind} {manifest.name}",
            namespace=manifest.namespace,
            reference=by_key.get(key, ", ".join(external_secrets.stores(manifest.data))),
        )
