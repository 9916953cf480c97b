"""The sandbox's own pods: cluster DNS, the Sealed Secrets controller and PostgreSQL.

Everything is applied server-side by kubectl, so applying again changes nothing and mends what was changed.
"""

from __future__ import annotations

import base64
import json
import os
from typing import Any, Final

from hanbae.sandbox import calling, namespaces, node, probing, sites, system_images

DATA: Final = "data"
POSTGRESQL: Final = "postgresql"
SEALED_SECRETS: Final = "sealed-secrets-controller"

# Port 1053, which the Service maps, since CoreDNS is not root and could not bind 53. Nothing is
# forwarded, because no name server answers inside.
_COREFILE: Final = """\
.:1053 {
    errors
    health :8080
    ready :8181
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        ttl 5
    }
    cache 5
}
"""

_RESTRICTED: Final[dict[str, Any]] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
_NONROOT: Final[dict[str, Any]] = {
    "runAsNonRoot": True,
    "runAsUser": system_images.USER,
    "runAsGroup": system_images.USER,
    "fsGroup": system_images.USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def apply(site: sites.Site) -> bool:
    """Apply DNS and PostgreSQL; done again later, it only mends what was changed."""
    folder = site.folder.root / "postgresql"
    folder.mkdir(mode=0o700, exist_ok=True)
    # fsGroup does not reach hostPath volumes, so the folder must belong to the pod's user.
    os.chown(folder, system_images.USER, system_images.USER)
    items = [*_dns(site), *_postgresql(site)]
    document = {"apiVersion": "v1", "kind": "List", "items": items}
    site.apply("-f", "-", stdin=json.dumps(document).encode())
    # kubectl does not say whether a server-side apply has changed anything: the first one counts as work.
    return not site.folder.ready.exists()


def seal(site: sites.Site) -> bool:
    """Apply the Sealed Secrets controller's first key and, from its own chart, the controller."""
    site.apply("-f", "-", stdin=json.dumps(_sealing_key(site)).encode())
    controller = system_images.reference(system_images.SEALED_SECRETS, site.programs)
    registry, repository = controller.split("/")
    image, tag = repository.split(":")
    settings = {
        "fullnameOverride": SEALED_SECRETS,
        "image.registry": registry,
        "image.repository": image,
        "image.tag": tag,
        "image.pullPolicy": "Never",
    }
    command = [str(site.programs.path("helm")), "template", SEALED_SECRETS]
    command += [str(site.programs.sealed_secrets_chart.resolve()), "--namespace", "kube-system"]
    command += ["--include-crds"]
    for setting, value in settings.items():
        command += ["--set-string", f"{setting}={value}"]
    rendered = calling.run(command, environment=site.environment())
    site.apply("-f", "-", "--namespace", "kube-system", stdin=rendered)
    return not site.folder.ready.exists()


def _sealing_key(site: sites.Site) -> dict[str, Any]:
    files = {"tls.crt": "sealing.crt", "tls.key": "sealing.key"}
    data = {
        key: base64.b64encode((site.folder.pki / file).read_bytes()).decode()
        for key, file in files.items()
    }
    secret = _named("Secret", "sealed-secrets-key-sandbox", "kube-system")
    # The label by which the controller finds its keys.
    secret["metadata"]["labels"]["sealedsecrets.bitnami.com/sealed-secrets-key"] = "active"
    return secret | {"type": "kubernetes.io/tls", "data": data}


def dns_ready(site: sites.Site) -> str:
    """Why cluster DNS is not ready; empty if it is."""
    return site.api.rolled_out("deployments", "kube-system", "coredns")


def sealed_secrets_ready(site: sites.Site) -> str:
    """Why the Sealed Secrets controller is not ready; empty if it is."""
    return site.api.rolled_out("deployments", "kube-system", SEALED_SECRETS)


def postgresql_ready(site: sites.Site) -> str:
    """Why PostgreSQL is not ready; empty if it is."""
    pod = site.api.rolled_out("statefulsets", DATA, POSTGRESQL)
    return pod or probing.tcp_accepts(site.identity.inner, 5432)


def _named(kind: str, name: str, namespace: str = "", *, api: str = "v1") -> dict[str, Any]:
    metadata = {"name": name, "labels": {"app.kubernetes.io/managed-by": "hanbae-sandbox"}}
    document: dict[str, Any] = {"apiVersion": api, "kind": kind, "metadata": metadata}
    if namespace:
        document["metadata"]["namespace"] = namespace
    return document


def _dns(site: sites.Site) -> list[dict[str, Any]]:
    system, name = "kube-system", "coredns"
    rbac = "rbac.authorization.k8s.io"
    rules = [
        {
            "apiGroups": [""],
            "resources": ["endpoints", "services", "pods", "namespaces"],
            "verbs": ["list", "watch"],
        },
        {
            "apiGroups": ["discovery.k8s.io"],
            "resources": ["endpointslices"],
            "verbs": ["list", "watch"],
        },
    ]
    ports = [
        {"name": f"dns-{protocol.lower()}", "port": 53, "targetPort": 1053, "protocol": protocol}
        for protocol in ("UDP", "TCP")
    ]
    selector = {"k8s-app": "kube-dns"}
    return [
        _named("ServiceAccount", name, system),
        _named("ClusterRole", "system:coredns", api=f"{rbac}/v1") | {"rules": rules},
        _named("ClusterRoleBinding", "system:coredns", api=f"{rbac}/v1")
        | {
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "system:coredns"},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": system}],
        },
        _named("ConfigMap", name, system) | {"data": {"Corefile": _COREFILE}},
        _named("Service", "kube-dns", system)
        | {"spec": {"clusterIP": node.DNS, "selector": selector, "ports": ports}},
        _named("Deployment", name, system, api="apps/v1")
        | {
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": selector},
                "template": {"metadata": {"labels": selector}, "spec": _dns_pod(site)},
            }
        },
    ]


def _dns_pod(site: sites.Site) -> dict[str, Any]:
    container = {
        "name": "coredns",
        "image": system_images.reference(system_images.COREDNS, site.programs),
        "imagePullPolicy": "Never",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [
            {"name": "dns-udp", "containerPort": 1053, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": 1053, "protocol": "TCP"},
        ],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "livenessProbe": {
            "httpGet": {"path": "/health", "port": 8080},
            "initialDelaySeconds": 30,
            "failureThreshold": 6,
        },
        "securityContext": _RESTRICTED,
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
    }
    return {
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        "securityContext": _NONROOT,
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
    }


def _postgresql(site: sites.Site) -> list[dict[str, Any]]:
    selector = {"app.kubernetes.io/name": POSTGRESQL}
    password = base64.b64encode(site.passwords.postgres.unmask()).decode()
    return [
        _named("Namespace", DATA),
        _named("Secret", "postgresql-superuser", DATA) | {"data": {"password": password}},
        _named("Service", POSTGRESQL, DATA)
        | {
            "spec": {
                "selector": selector,
                "ports": [{"name": "postgresql", "port": 5432, "targetPort": "postgresql"}],
            }
        },
        _named("StatefulSet", POSTGRESQL, DATA, api="apps/v1")
        | {
            "spec": {
                "replicas": 1,
                "serviceName": POSTGRESQL,
                "selector": {"matchLabels": selector},
                "template": {"metadata": {"labels": selector}, "spec": _postgresql_pod(site)},
            }
        },
    ]


def _postgresql_pod(site: sites.Site) -> dict[str, Any]:
    asking = {
        "exec": {"command": ["pg_isready", "--quiet", "--host=127.0.0.1"]},
        "timeoutSeconds": 5,
    }
    container = {
        "name": POSTGRESQL,
        "image": system_images.reference(system_images.POSTGRESQL, site.programs),
        "imagePullPolicy": "Never",
        "env": [{"name": "PGDATA", "value": "/var/lib/postgresql/18"}],
        # At the inner address too, so that the machine reaches it as it reaches the rest.
        "ports": [{"name": "postgresql", "containerPort": 5432, "hostPort": 5432}],
        # A process in the container takes a tenth of a second of CPU time: often only until the server answers.
        "startupProbe": asking | {"periodSeconds": 1, "failureThreshold": 600},
        "readinessProbe": asking | {"periodSeconds": 10},
        "securityContext": _RESTRICTED,
        "volumeMounts": [
            {"name": "data", "mountPath": "/var/lib/postgresql"},
            {"name": "password", "mountPath": "/run/secrets/postgresql", "readOnly": True},
            {"name": "memory", "mountPath": "/dev/shm"},
            {"name": "sockets", "mountPath": "/tmp"},
        ],
    }
    secret = {"secretName": "postgresql-superuser", "defaultMode": 0o440}
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 10,
        "securityContext": _NONROOT,
        "containers": [container],
        "volumes": [
            {"name": "data", "hostPath": {"path": f"{namespaces.HOME}/postgresql"}},
            {"name": "password", "secret": secret},
            {"name": "memory", "emptyDir": {"medium": "Memory"}},
            {"name": "sockets", "emptyDir": {}},
        ],
    }
