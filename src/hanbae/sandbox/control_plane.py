"""etcd and the Kubernetes control plane, as processes rather than pods.

Only the API server listens where the machine reaches it; it asks for a certificate.
The rest listens on the loopback interface of the sandbox's own network namespace.
"""

from __future__ import annotations

from typing import Final

from hanbae.sandbox import namespaces, probing, sites

PODS: Final = "10.244.0.0/16"
SERVICES: Final = "10.96.0.0/16"
API_SERVER: Final = "kube-apiserver"
"""The daemon that others ask.

A client that has lost it may wait 30 seconds before it asks again (``defaultBackoffMax`` of client-go's reflectors). A
controller manager that has not heard of the node for 50 seconds by then takes all pods out of their Services, although
they serve. So the control plane and kube-proxy are started again with it. The kubelet and Argo CD are not: their delay
takes no pod out of its Service, and a new kubelet calls pods unready until it has probed them.
"""


def etcd(site: sites.Site) -> sites.Daemon:
    """The store. It does not wait for the disk: a sandbox that loses power is built anew anyway."""
    client = "http://127.0.0.1:2379"
    return sites.Daemon(
        name="etcd",
        command=(
            str(site.programs.path("etcd")),
            f"--data-dir={namespaces.HOME}/etcd",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            "--listen-peer-urls=http://127.0.0.1:2380",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ),
        environment=site.environment(),
        ready=lambda: probing.http_status(2379, "/health"),
    )


def api_server(site: sites.Site) -> sites.Daemon:
    """kube-apiserver, reached at the inner address with a certificate of the sandbox's own authority."""
    pki = site.folder.pki
    return sites.Daemon(
        name=API_SERVER,
        command=(
            str(site.programs.path(API_SERVER)),
            f"--advertise-address={site.identity.inner}",
            "--allow-privileged=true",
            "--authorization-mode=Node,RBAC",
            f"--client-ca-file={pki / 'ca.crt'}",
            "--enable-admission-plugins=NodeRestriction",
            "--etcd-servers=http://127.0.0.1:2379",
            f"--kubelet-certificate-authority={pki / 'ca.crt'}",
            f"--kubelet-client-certificate={pki / 'apiserver-kubelet-client.crt'}",
            f"--kubelet-client-key={pki / 'apiserver-kubelet-client.key'}",
            "--kubelet-preferred-address-types=InternalIP",
            "--profiling=false",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={pki / 'service-accounts.key'}",
            f"--service-account-signing-key-file={pki / 'service-accounts.key'}",
            f"--service-cluster-ip-range={SERVICES}",
            f"--tls-cert-file={pki / 'apiserver.crt'}",
            f"--tls-private-key-file={pki / 'apiserver.key'}",
        ),
        environment=site.environment(),
        ready=site.api.ready,
    )


def controller_manager(site: sites.Site) -> sites.Daemon:
    """kube-controller-manager; alone, so it need not wait for a leader's lease."""
    pki = site.folder.pki
    kubeconfig = pki / "kube-controller-manager.kubeconfig"
    return sites.Daemon(
        name="kube-controller-manager",
        command=(
            str(site.programs.path("kube-controller-manager")),
            "--allocate-node-cidrs=true",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--cluster-cidr={PODS}",
            f"--cluster-signing-cert-file={pki / 'ca.crt'}",
            f"--cluster-signing-key-file={pki / 'ca.key'}",
            f"--kubeconfig={kubeconfig}",
            "--leader-elect=false",
            f"--root-ca-file={pki / 'ca.crt'}",
            f"--service-account-private-key-file={pki / 'service-accounts.key'}",
            f"--service-cluster-ip-range={SERVICES}",
            "--use-service-account-credentials=true",
        ),
        environment=site.environment(),
        ready=lambda: probing.https_status(10257, "/healthz"),
        restarts_with=API_SERVER,
    )


def scheduler(site: sites.Site) -> sites.Daemon:
    """kube-scheduler; alone as well."""
    kubeconfig = site.folder.pki / "kube-scheduler.kubeconfig"
    return sites.Daemon(
        name="kube-scheduler",
        command=(
            str(site.programs.path("kube-scheduler")),
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--kubeconfig={kubeconfig}",
            "--leader-elect=false",
        ),
        environment=site.environment(),
        ready=lambda: probing.https_status(10259, "/healthz"),
        restarts_with=API_SERVER,
    )
