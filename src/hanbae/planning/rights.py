"""What the deployer's permissions depend on: the image and the keys with which a service's migrations are proven.

Charts that hanbae laid say it in their values; of others it is read from the Jobs that they render.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hanbae import subjects
from hanbae.argo import authorizing
from hanbae.charts import pools, rendering
from hanbae.migrations import databases
from hanbae.planning import releases
from hanbae.policy import documents, naming
from hanbae.repository import trees


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
    listed = databases.declared(values, service, wave=wave, file=place.file)
    keys = [database.url_key for database in listed]
    return authorizing.service(service, environment, values, keys=keys, place=place)


async def rendered(
    pool: pools.Pool,
    policy: documents.Policy,
    tree: trees.Tree,
    service: str,
    environment: str,
) -> authorizing.Service:
    """A service whose Jobs say what it migrates.

    Args:
        pool: Renders.
        policy: The policy, located in the tree.
        tree: The files.
        service: The service.
        environment: The environment.

    Raises:
        hanbae.errors.FileFault: The chart does not render.
    """
    chart = str(naming.chart(policy, service))
    values = releases.values(tree, policy, service, environment)
    if values.missing or tree.read(f"{chart}/Chart.yaml") is None:
        return authorizing.Service(service)  # it is not in this environment yet, or no chart
    request = releases.requested(policy, service, environment, values.contents)
    (answer,) = await rendering.answers(pool, tree, chart, [request])
    release = rendering.rendered(answer, shown=chart, values_files=request.values_files)
    read = releases.read(
        policy,
        tree,
        service,
        environment,
        manifests=[manifest.object for manifest in release.manifests],
        values=release.values,
    )
    secret = naming.secret(policy, service, environment)
    proven = [
        migration
        for migration in read.model.migrations
        if migration.provable is None
        and migration.address is not None
        and migration.address.secret == secret
    ]
    if not proven:
        return authorizing.Service(service)
    repository = _repository(proven[0].image.reference)
    keys = dict.fromkeys(
        migration.address.key
        for migration in proven
        if migration.address and _repository(migration.image.reference) == repository
    )
    return authorizing.Service(service, repository, tuple(keys))


def _repository(reference: str) -> str:
    """An image without its tag and digest, as it is written: that is what the API server compares."""
    folder, slash, name = reference.partition("@")[0].rpartition("/")
    return f"{folder}{slash}{name.partition(':')[0]}"
