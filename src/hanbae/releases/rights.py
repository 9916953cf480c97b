"""What the deployer's permissions depend on: the image and the keys with which a service's migrations are proven.

Charts that hanbae laid say it in their values; of others it is read from the Jobs that they render.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import structs

from hanbae import subjects
from hanbae.apis import serving
from hanbae.argo import authorizing
from hanbae.clusters import kinds
from hanbae.migrations import declared_databases
from hanbae.policy import documents
from hanbae.releases import endpoints, parts


def declared(
    policy: documents.Policy,
    service: str,
    environment: str,
    values: Mapping[str, Any],
    place: subjects.Place,
) -> authorizing.Service:
    """A service whose values say what it migrates.

    Args:
        policy: The policy.
        service: The service.
        environment: The environment, for faults.
        values: Its values.
        place: Where its image's repository is, for faults.

    Raises:
        hanbae.errors.FileFault: A service with databases names no image.
    """
    wave = policy.migrations.wave
    listed = declared_databases.declared(values, service, wave=wave, file=place.file)
    keys = [database.url_key for database in listed]
    described = authorizing.service(service, environment, values, keys=keys, place=place)
    return with_endpoints(described, policy, environment, values, file=place.file)


def with_endpoints(
    described: authorizing.Service,
    policy: documents.Policy,
    environment: str,
    values: Mapping[str, Any],
    *,
    file: str = "",
) -> authorizing.Service:
    """A service with the endpoints that are asked after a deployment.

    Raises:
        hanbae.errors.FileFault: ``smoke`` in its values is not a list of endpoints.
    """
    probes = endpoints.of(policy, described.name, environment, values, file=file)
    own = endpoints.of_items(policy, described.name, environment)
    return structs.replace(described, proxied=endpoints.proxied((*probes, *own)))


def with_objects(described: authorizing.Service, release: parts.Release) -> authorizing.Service:
    """A service with what its chart makes, for an environment in which Helm applies that.

    Hooks are Jobs that hanbae makes; what is in no namespace is an administrator's to apply.
    """
    cluster_scoped = serving.cluster_scoped()
    applied = [
        entry for entry in release.objects if not entry.phases and entry.kind not in cluster_scoped
    ]
    by_resource = {
        kind.resource: kind for kind in (kinds.of(item.api_version, item.kind) for item in applied)
    }
    secrets = {item.name for item in applied if item.kind == kinds.SECRET.kind}
    return structs.replace(
        described,
        kinds=tuple(kind for _, kind in sorted(by_resource.items())),
        secrets=tuple(sorted(secrets)),
    )


def of(release: parts.Release, *, service: str, secret: str) -> authorizing.Service:
    """A service as its rendered Jobs have it; without an image where nothing of it can be proven.

    A proof reads the service's own Secret and runs one image: of several, the first migration's.

    Args:
        release: The release.
        service: The service.
        secret: Name of the service's own Secret.
    """
    proven = [
        (repository(migration.image.reference), migration.address.key)
        for migration in release.migrations
        if migration.provable is None
        and migration.address is not None
        and migration.address.secret == secret
    ]
    if not proven:
        return authorizing.Service(service)
    own, _ = proven[0]
    keys = dict.fromkeys(key for image, key in proven if image == own)
    return authorizing.Service(service, own, tuple(keys))


def repository(reference: str) -> str:
    """An image without its tag and digest, as it is written: that is what the API server compares."""
    folder, slash, name = reference.partition("@")[0].rpartition("/")
    return f"{folder}{slash}{name.partition(':')[0]}"
