"""The kinds of objects that hanbae reads or writes, and how the API server spells their addresses.

Written down rather than discovered: discovery costs a round trip per API group before the first useful request, and a
deployment tool that needs a kind which is not in this table has a bug, not a surprise.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from msgspec import Struct

from hanbae import subjects

MANAGER: Final = "hanbae"
"""The field manager under which the API server files our changes."""

Object = dict[str, Any]
"""A Kubernetes object as the API server sends it, always with ``apiVersion`` and ``kind``."""


class Kind(Struct, frozen=True):
    """One kind of object.

    Attributes:
        group: API group; empty for the core group.
        version: API version, such as ``v1``.
        plural: Its name in addresses, such as ``jobs``.
        kind: Its name in objects, such as ``Job``.
        namespaced: Whether its objects live in namespaces.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """``apiVersion`` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """The name that RBAC and ``kubectl auth can-i`` use, such as ``jobs.batch``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """The address below the API server.

        Args:
            namespace: The namespace; None or empty for all of them, or for a cluster-scoped kind.
            name: The object; empty for the collection.
            subresource: Such as ``log``; empty for the object itself.
        """
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        inside = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        # The colons are those of a proxied Service; see `proxied`.
        rest = f"/{quote(name, safe=':')}" if name else ""
        below = f"/{subresource}" if subresource else ""
        return f"{root}{inside}/{self.plural}{rest}{below}"

    def complete(self, item: Object) -> Object:
        """The object with its ``apiVersion`` and ``kind``, which the items of lists lack."""
        return {"apiVersion": self.api_version, "kind": self.kind, **item}


_ARGO: Final = "argoproj.io"

APPLICATION: Final = Kind(_ARGO, "v1alpha1", "applications", "Application")
APPPROJECT: Final = Kind(_ARGO, "v1alpha1", "appprojects", "AppProject")
APPLICATIONSET: Final = Kind(_ARGO, "v1alpha1", "applicationsets", "ApplicationSet")
JOB: Final = Kind("batch", "v1", "jobs", "Job")
POD: Final = Kind("", "v1", "pods", "Pod")
DEPLOYMENT: Final = Kind("apps", "v1", "deployments", "Deployment")
REPLICASET: Final = Kind("apps", "v1", "replicasets", "ReplicaSet")
STATEFULSET: Final = Kind("apps", "v1", "statefulsets", "StatefulSet")
EVENT: Final = Kind("", "v1", "events", "Event")
SECRET: Final = Kind("", "v1", "secrets", "Secret")
CONFIGMAP: Final = Kind("", "v1", "configmaps", "ConfigMap")
SEALEDSECRET: Final = Kind("bitnami.com", "v1alpha1", "sealedsecrets", "SealedSecret")
EXTERNALSECRET: Final = Kind("external-secrets.io", "v1", "externalsecrets", "ExternalSecret")
LEASE: Final = Kind("coordination.k8s.io", "v1", "leases", "Lease")
SERVICEACCOUNT: Final = Kind("", "v1", "serviceaccounts", "ServiceAccount")
SERVICE: Final = Kind("", "v1", "services", "Service")
ENDPOINTSLICE: Final = Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
RESOURCEQUOTA: Final = Kind("", "v1", "resourcequotas", "ResourceQuota")
LIMITRANGE: Final = Kind("", "v1", "limitranges", "LimitRange")
CRONJOB: Final = Kind("batch", "v1", "cronjobs", "CronJob")
CONTROLLERREVISION: Final = Kind("apps", "v1", "controllerrevisions", "ControllerRevision")
DAEMONSET: Final = Kind("apps", "v1", "daemonsets", "DaemonSet")
HPA: Final = Kind("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
INGRESS: Final = Kind("networking.k8s.io", "v1", "ingresses", "Ingress")
NETWORKPOLICY: Final = Kind("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
PDB: Final = Kind("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
PVC: Final = Kind("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
INGRESSCLASS: Final = Kind(
    "networking.k8s.io", "v1", "ingressclasses", "IngressClass", namespaced=False
)
STORAGECLASS: Final = Kind(
    "storage.k8s.io", "v1", "storageclasses", "StorageClass", namespaced=False
)
BACKUP: Final = Kind("postgresql.cnpg.io", "v1", "backups", "Backup")
HTTPROUTE: Final = Kind("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
NODE: Final = Kind("", "v1", "nodes", "Node", namespaced=False)
NAMESPACE: Final = Kind("", "v1", "namespaces", "Namespace", namespaced=False)

# Whatever is defined further below is not in it.
_ALL: Final = {value.kind: value for value in list(globals().values()) if isinstance(value, Kind)}


def named(kind: str) -> Kind:
    """The kind of this name, such as ``Job``.

    Raises:
        KeyError: hanbae does not handle this kind.
    """
    return _ALL[kind]


def of(api_version: str, kind: str) -> Kind:
    """A kind by how objects name it; the plural of one that is not in the table is guessed.

    Args:
        api_version: Such as ``apps/v1``.
        kind: Such as ``Deployment``.
    """
    group, _, version = api_version.rpartition("/")
    listed = _ALL.get(kind)
    if listed is not None and listed.group == group:
        return listed
    return Kind(group, version, plural(kind), kind)


_VOWELS: Final = frozenset("aeiou")


def plural(kind: str) -> str:
    """What a kind is called in addresses, as far as its name tells.

    It holds for every built-in kind, and for more custom ones than Kubernetes' own guess
    (``UnsafeGuessKindToResource``), which makes ``gatewaies`` of Gateway.

    Args:
        kind: Such as ``NetworkPolicy``.
    """
    name = kind.lower()
    if name == "endpoints":
        return name
    if name.endswith("y") and name[-2:-1] not in _VOWELS:
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(("s", "x", "ch", "sh")) else f"{name}s"


def of_secrets(provider: str) -> Kind:
    """The kind of what the controller of a provider makes Secrets of.

    Args:
        provider: As of ``secrets.provider`` in a policy.
    """
    return EXTERNALSECRET if provider == "external-secrets" else SEALEDSECRET


def ref(item: Object) -> subjects.Ref:
    """How an object is pointed at."""
    metadata = item["metadata"]
    return subjects.Ref(item["kind"], metadata.get("namespace", ""), metadata["name"])


def proxied(service: str, port: str) -> str:
    """How a Service's port is called in the address of the API server's proxy, and in the names that RBAC grants."""
    return f"http:{service}:{port}"
