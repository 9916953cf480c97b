"""Which certificate may be sealed for: the remembered one, and no other environment's.

A value that was sealed for another cluster is found out when it is deployed, and only a person can tell a renewed key
from a stranger's.
"""

from __future__ import annotations

from hanbae import errors, subjects
from hanbae.charts import values
from hanbae.policy import documents, environments, loading, service_paths
from hanbae.repository import services
from hanbae.sealing import certificates, pins


def check(
    loaded: loading.Loaded,
    service: str,
    environment: str,
    *,
    remembered: str,
    place: subjects.Place,
    certificate: certificates.Certificate,
) -> None:
    """Refuse the certificate of another environment, and an unexplained new one.

    Args:
        loaded: The policy.
        service: The service.
        environment: The environment.
        remembered: The fingerprint that the service's own file remembers; empty for none.
        place: Where it remembers it, for the error.
        certificate: The certificate.

    Raises:
        errors.Refused: It is another environment's, or not the one that is remembered.
    """
    if remembered == certificate.fingerprint:
        return
    facts = {
        "environment": environment,
        "certificate": certificate.fingerprint,
        "remembered": str(remembered) or "-",
    }
    for other in environments.on_kubernetes(loaded.policy):
        same_cluster = _share_cluster(loaded.policy, environment, other)
        # Environments of one cluster have one controller, and so one certificate: to seal the first
        # value for the other's is right there.
        if other == environment or (same_cluster and not remembered):
            continue
        if of(loaded, service, other) == certificate.fingerprint:
            text_id = "seal.other-environment" if remembered else "seal.other-environment-first"
            raise errors.Refused(text_id, place=place, other=other, **facts)
    if remembered:
        raise errors.Refused("seal.other-certificate", place=place, **facts)
    # A branch that takes out the pin must not make a known controller a new one.
    others = _of_others(loaded, service, environment)
    if others and certificate.fingerprint not in others:
        facts["remembered"] = min(others)
        raise errors.Refused("seal.other-certificate", place=place, **facts)


def _of_others(loaded: loading.Loaded, service: str, environment: str) -> set[str]:
    """The certificates that the environment's other services were sealed with."""
    remembered = set()
    for other in services.of_checkout(loaded):
        if service_paths.has_no_chart(loaded.policy.services, other):
            remembered |= {of(loaded, other, environment)} if other != service else set()
            continue
        path, _ = services.values_file(loaded, other, environment)
        if other != service and path.is_file():
            with path.open("rb") as file:
                remembered |= pins.mentioned(file.read(values.LARGEST_FILE))
    return remembered - {""}


def of(loaded: loading.Loaded, service: str, environment: str) -> str:
    """The certificate that a service's values are sealed with in an environment; empty where nothing says it."""
    if service_paths.has_no_chart(loaded.policy.services, service):
        if not service_paths.is_in(loaded.policy.services, service, environment):
            return ""
        from hanbae.planning import sealed_manifests  # only who has no chart waits for it
        from hanbae.repository import trees

        tree = trees.WorkingTree(loaded.root)
        sealed = sealed_manifests.find(loaded.policy, tree, service, environment)
        return str(sealed.section.get(pins.CERTIFICATE[1]) or "")
    path, file = services.values_file(loaded, service, environment)
    if not path.is_file():
        return ""
    return str(values.read(path, file).get(pins.CERTIFICATE) or "")


def _share_cluster(policy: documents.Policy, name: str, other: str) -> bool:
    """Whether two environments may be in one cluster: same context, and namespaces that differ."""
    a, b = policy.environments[name], policy.environments[other]
    together = bool(environments.share_pods_cluster(a, b))
    return together and a.namespace_suffix != b.namespace_suffix
