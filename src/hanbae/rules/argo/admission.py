"""What the AppProject of an environment refuses: other namespaces, cluster-scoped kinds, kinds that grant rights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from hanbae.rules import rulebook, views
from hanbae.rules.argo import registering as argo

_PROJECTS: Final = "https://argo-cd.readthedocs.io/en/stable/user-guide/projects/"
_CLUSTER: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset({"Namespace", "Node", "PersistentVolume"}),
    "admissionregistration.k8s.io": frozenset(
        {
            "MutatingWebhookConfiguration",
            "ValidatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
        }
    ),
    "apiextensions.k8s.io": frozenset({"CustomResourceDefinition"}),
    "apiregistration.k8s.io": frozenset({"APIService"}),
    "certificates.k8s.io": frozenset({"CertificateSigningRequest", "ClusterTrustBundle"}),
    "flowcontrol.apiserver.k8s.io": frozenset({"FlowSchema", "PriorityLevelConfiguration"}),
    "networking.k8s.io": frozenset({"IngressClass", "IPAddress", "ServiceCIDR"}),
    "node.k8s.io": frozenset({"RuntimeClass"}),
    "rbac.authorization.k8s.io": frozenset({"ClusterRole", "ClusterRoleBinding"}),
    "resource.k8s.io": frozenset({"DeviceClass", "ResourceSlice"}),
    "scheduling.k8s.io": frozenset({"PriorityClass"}),
    "storage.k8s.io": frozenset(
        {"StorageClass", "CSIDriver", "CSINode", "VolumeAttachment", "VolumeAttributesClass"}
    ),
    "cert-manager.io": frozenset({"ClusterIssuer"}),
    "cilium.io": frozenset({"CiliumClusterwideNetworkPolicy", "CiliumLoadBalancerIPPool"}),
    "external-secrets.io": frozenset({"ClusterSecretStore", "ClusterExternalSecret"}),
    "gateway.networking.k8s.io": frozenset({"GatewayClass"}),
    "kyverno.io": frozenset({"ClusterPolicy"}),
}


def is_cluster_scoped(group: str, kind: str) -> bool:
    """Whether objects of a kind belong to no namespace, as far as the kind is known."""
    return kind in _CLUSTER.get(group, ())


@argo.of_release("ARG027", "error", source=_PROJECTS, essential=True)
def namespace_is_refused(release: views.Release) -> Iterator[rulebook.Hit]:
    """An object in a namespace that the environment's project does not let its Applications reach."""
    for manifest in release.objects:
        if manifest.namespace == release.namespace or is_cluster_scoped(
            _group(manifest), manifest.kind
        ):
            continue
        if not release.service.project.reaches(release.environment, manifest.namespace):
            facts = {"object": manifest.label, "namespace": manifest.namespace}
            yield rulebook.Hit(views.On(manifest, ("metadata", "namespace")), facts)


@argo.of_release("ARG028", "error", source=_PROJECTS, essential=True)
def kind_is_refused(release: views.Release) -> Iterator[rulebook.Hit]:
    """An object of a kind that the environment's project refuses."""
    spec = release.service.project.bounds(release.environment)
    for manifest in release.objects:
        group = _group(manifest)
        facts = {"object": manifest.label, "kind": manifest.kind}
        # Where a project has no such list, Argo CD lets no cluster-scoped kind in, and every other
        # one.
        if is_cluster_scoped(group, manifest.kind):
            if not _listed(spec.get("clusterResourceWhitelist"), group, manifest.kind):
                yield rulebook.Hit(views.On(manifest, ("kind",)), facts, "cluster")
        elif _listed(spec.get("namespaceResourceBlacklist"), group, manifest.kind) or (
            spec.get("namespaceResourceWhitelist")
            and not _listed(spec["namespaceResourceWhitelist"], group, manifest.kind)
        ):
            yield rulebook.Hit(views.On(manifest, ("kind",)), facts)


def _group(manifest: views.Object) -> str:
    group, slash, _ = manifest.api_version.partition("/")
    return group if slash else ""


def _listed(entries: Any, group: str, kind: str) -> bool:
    """Whether a list of an AppProject has a kind; its entries may be patterns."""
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            # Nearly all entries are plain names of other kinds, which need no pattern.
            own = str(entry.get("kind"))
            if own == kind or (not own.isalpha() and fnmatchcase(kind, own)):
                groups = str(entry.get("group", ""))
                if groups == group or fnmatchcase(group, groups):
                    return True
    return False
