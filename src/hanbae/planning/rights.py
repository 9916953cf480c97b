"""Renders a service for what the deployer's permissions depend on."""

from __future__ import annotations

from hanbae.argo import authorizing
from hanbae.charts import pools, rendering
from hanbae.planning import manifests, releases
from hanbae.policy import documents, environments, folders, naming, service_paths
from hanbae.releases import rights
from hanbae.repository import trees


async def rendered(
    pool: pools.Pool,
    policy: documents.Policy,
    tree: trees.Tree,
    service: str,
    environment: str,
) -> authorizing.Service:
    """A service whose Jobs say what it migrates, whatever renders them.

    Args:
        pool: Renders.
        policy: The policy, located in the tree.
        tree: The files.
        service: The service.
        environment: The environment.

    Raises:
        hanbae.errors.FileFault: The chart does not render; without one, the folder makes no objects.
    """
    if service_paths.has_no_chart(policy.services, service):
        if not service_paths.is_in(policy.services, service, environment):
            return authorizing.Service(service)  # it is not in this environment
        manifests_ = await manifests.make(policy, tree, service, environment)
        return _of(policy, tree, service, environment, manifests_.rendered)
    chart = str(naming.chart(policy, service))
    values = releases.values(tree, policy, service, environment)
    if values.missing or tree.read(folders.path(chart, "Chart.yaml")) is None:
        return authorizing.Service(service)  # it is not in this environment yet, or no chart
    overrides = releases.overrides(tree, policy, service, environment, values.contents)
    request = releases.requested(
        tree, policy, service, environment, values.contents, overrides=overrides
    )
    (answer,) = await rendering.answers(pool, tree, chart, [request])
    release = rendering.rendered(answer, chart=chart, values_files=request.values_files)
    return _of(policy, tree, service, environment, release)


def _of(
    policy: documents.Policy,
    tree: trees.Tree,
    service: str,
    environment: str,
    release: rendering.Rendered,
) -> authorizing.Service:
    read = releases.read(
        policy,
        tree,
        service,
        environment,
        manifests=[manifest.object for manifest in release.manifests],
        values=release.values,
    )
    secret = naming.secret(policy, service, environment)
    described = rights.of(read.model, service=service, secret=secret)
    if environments.by_helm(policy, environment):
        described = rights.with_objects(described, read.model)
    return rights.with_endpoints(described, policy, environment, release.values)
