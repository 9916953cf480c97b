"""The names that follow from the policy: one place for each, used by charts, engines and proofs alike."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final, Literal

from hanbae.policy import documents, environments

RBAC: Final = "k8s/rbac"
"""Below it is what hanbae may do in the clusters, by environment."""

_SERVICE: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def is_service(name: str) -> bool:
    """Whether objects can be named after a service that is called so: an RFC 1123 label."""
    return bool(_SERVICE.fullmatch(name))


def release(policy: documents.Policy, service: str) -> str:
    """The Helm release of a service: ``auth-service``, the same in every environment."""
    return policy.services.release.format(service=service)


def secret(policy: documents.Policy, service: str) -> str:
    """The Secret of a service: ``auth-secrets``."""
    return policy.services.secret.format(service=service)


def application(service: str, environment: str) -> str:
    """Argo CD's Application: ``auth-dev``."""
    return f"{service}-{environment}"


def lease(service: str, environment: str) -> str:
    """Name of the Lease by which one deployment at a time drives an Application."""
    return f"hanbae-{application(service, environment)}"


def project(policy: documents.Policy, environment: str) -> str:
    """Argo CD's AppProject of an environment: ``services-dev``."""
    return f"{policy.argocd.project}-{environment}"


def application_set(policy: documents.Policy, environment: str) -> str:
    """Argo CD's ApplicationSet of an environment: ``services-dev``, like its AppProject."""
    return project(policy, environment)


def namespace(policy: documents.Policy, service: str, environment: str) -> str:
    """The namespace of a service's objects in an environment: ``services-dev``."""
    base = next(
        (name for name, space in policy.namespaces.items() if service in space.services),
        policy.services.namespace,
    )
    return suffixed(policy, base, environment)


def suffixed(policy: documents.Policy, base: str, environment: str) -> str:
    """A namespace of the policy as it is called in an environment."""
    return f"{base}{policy.environments[environment].namespace_suffix}"


def migration_job(release_name: str, database: str, *, several: bool) -> str:
    """The migration Job: ``auth-service-migrate``, or ``…-migrate-identity-db`` with several databases.

    Object names allow no underscore (RFC 1123), which is why the database's are replaced.
    """
    if not several:
        return f"{release_name}-migrate"
    return f"{release_name}-migrate-{database.replace('_', '-')}"


def chart(policy: documents.Policy, service: str) -> PurePosixPath:
    """The chart folder of a service, relative to the repository: ``services/auth/helm``."""
    return PurePosixPath(policy.services.path.replace("*", service, 1))


def folder(policy: documents.Policy, service: str) -> PurePosixPath:
    """The folder of everything that is a service's own, relative to the repository: ``services/auth``."""
    before, _, _ = policy.services.path.partition("*")
    return PurePosixPath(f"{before}{service}")


def values_file(policy: documents.Policy, service: str, environment: str) -> PurePosixPath:
    """The values file of a service in an environment, relative to the repository."""
    name = policy.environments[environment].values or f"values-{environment}.yaml"
    return chart(policy, service) / name


def migrations_folder(policy: documents.Policy, service: str) -> PurePosixPath:
    """The folder of a service's migrations in the repository: ``services/auth/migrations``."""
    return chart(policy, service).parent / "migrations"


def seconds(duration: documents.Duration) -> int:
    """A duration of the policy in seconds: ``1h30m`` is 5400."""
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(n) * units[unit] for n, unit in re.findall(r"([0-9]+)([hms])", duration))


def rbac_folder(
    environment: documents.Environment, name: str, cluster: Literal["control", "workload"]
) -> str:
    """The folder of what hanbae may do in the cluster of Argo CD or of the pods; one where they are the same."""
    apart = environments.is_hub(environment)
    return f"{RBAC}/{name}/{cluster}" if apart else f"{RBAC}/{name}"
