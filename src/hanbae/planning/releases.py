"""What Helm is asked to render for a service in an environment: the one place, for whoever renders."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from hanbae.apis import serving
from hanbae.charts import pools
from hanbae.policy import documents, naming
from hanbae.repository import trees


class Cluster(Struct, frozen=True):
    """What the workload cluster says of itself, and Argo CD passes on to Helm.

    Attributes:
        version: Its version, such as ``v1.35.4``.
        api_versions: ``group/version`` and ``group/version/Kind`` of all that it serves.
    """

    version: str
    api_versions: tuple[str, ...]


class Values(Struct, frozen=True):
    """The values files of a service in an environment.

    Attributes:
        contents: Those that are there, in order.
        missing: Those that are not: Argo CD renders nothing without them.
    """

    contents: tuple[bytes, ...]
    missing: tuple[str, ...] = ()


def values(tree: trees.Tree, policy: documents.Policy, service: str, environment: str) -> Values:
    """Read the values files of a service in an environment.

    Raises:
        hanbae.errors.FileFault: One of them is too large, or a link leads out of the repository.
    """
    paths = [str(path) for path in naming.values_files(policy, service, environment)]
    contents = {path: tree.read(path) for path in paths}
    missing = tuple(path for path, content in contents.items() if content is None)
    return Values(tuple(contents[path] or b"" for path in paths if path not in missing), missing)


def requested(
    policy: documents.Policy,
    service: str,
    environment: str,
    values: Sequence[bytes],
    *,
    kube_version: str | None = None,
    api_versions: tuple[str, ...] = (),
    cluster: Cluster | None = None,
) -> pools.Wanted:
    """The release as Argo CD asks Helm for it.

    Args:
        policy: The policy.
        service: The service.
        environment: The environment.
        values: The contents of the environment's values files, in order.
        kube_version: The cluster's version, such as ``v1.35.4``; None for the first release of the policy's minor
            version.
        api_versions: API versions beyond those of that Kubernetes, such as ``bitnami.com/v1alpha1``.
        cluster: The cluster's own answer, which takes the place of both.
    """
    minor = policy.environments[environment].kubernetes
    if cluster is not None:
        kube_version, served = cluster.version, cluster.api_versions
    else:
        served = (*serving.api_versions(minor), *api_versions)
    return pools.Wanted(
        release=naming.release(policy, service, environment),
        namespace=naming.namespace(policy, service, environment),
        values=tuple(values),
        kube_version=kube_version or f"v{minor}.0",
        api_versions=served,
        complete=cluster is not None,
        values_files=tuple(map(str, naming.values_files(policy, service, environment))),
    )
