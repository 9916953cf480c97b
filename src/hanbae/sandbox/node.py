"""The one node: containerd, the network of pods, kubelet and kube-proxy.

Pods are connected with the ``ptp`` plugin, as kind does it: every packet is routed, so Services work on machines
without the ``br_netfilter`` module too, which a bridge would need for two pods of one node to meet.
"""

from __future__ import annotations

import json
from typing import Any, Final

from hanbae import errors
from hanbae.sandbox import calling, control_plane, namespaces, pins, probing, sites

#: Image that holds a pod's namespaces.
PAUSE: Final = f"hanbae.local/pause:{pins.PAUSE}"
DNS: Final = "10.96.0.10"
#: What the controller manager gives of `control_plane.PODS` to the first node, which is the only one.
_NODE_PODS: Final = "10.244.0.0/24"
_SOCKET: Final = "containerd.sock"


def containerd(site: sites.Site) -> sites.Daemon:
    """A containerd with root, state and socket of its own: it never meets one of the user's."""
    return sites.Daemon(
        name="containerd",
        command=(
            str(site.programs.path("containerd")),
            f"--config={site.folder.etc / 'containerd.toml'}",
            "--log-level=warn",
        ),
        environment=site.environment(),
        ready=lambda: _containerd_answers(site),
        files={
            site.folder.etc / "containerd.toml": _containerd(site),
            site.folder.etc / "cni" / "10-hanbae.conflist": json.dumps(_network(), indent=2),
            site.folder.etc / "registries" / registry(site) / "hosts.toml": _registry(site),
        },
    )


def _containerd_answers(site: sites.Site) -> str:
    """Why containerd does not answer; empty if it does. That its socket accepts says too little: the kernel does."""
    command = ctr(site, "version")
    command[1:1] = ["--connect-timeout", "2s"]
    try:
        calling.run(command, environment=site.environment(), deadline_s=5)
    except errors.Failed as error:
        return error.text.facts["output"]
    return ""


def registry(site: sites.Site) -> str:
    """Host and port of the sandbox's registry, as they stand in image names."""
    return f"{site.identity.inner}:5000"


def ctr(site: sites.Site, *words: str) -> list[str]:
    """A ``ctr`` command on the kubelet's namespace of images."""
    socket = str(site.folder.root / _SOCKET)
    # The socket's path may be too long for the kernel outside; inside it is short.
    if len(socket) > 100:  # noqa: PLR2004  the kernel's limit is 107
        socket = f"/proc/{site.namespaces.pid}/root{namespaces.HOME}/{_SOCKET}"
    return [str(site.programs.path("ctr")), "--address", socket, "--namespace", "k8s.io", *words]


def kubelet(site: sites.Site) -> sites.Daemon:
    """The kubelet; ``failCgroupV1`` is off because many machines still have version 1."""
    config = site.folder.etc / "kubelet.json"
    return sites.Daemon(
        name="kubelet",
        command=(
            str(site.programs.path("kubelet")),
            f"--config={config}",
            f"--hostname-override={site.identity.host}",
            f"--kubeconfig={site.folder.pki / 'kubelet.kubeconfig'}",
            # Without it the kubelet looks its own name up, and no name server answers inside.
            f"--node-ip={site.identity.inner}",
            f"--root-dir={namespaces.HOME}/kubelet",
        ),
        environment=site.environment(),
        ready=lambda: probing.http_status(10248, "/healthz"),
        files={config: json.dumps(_kubelet(site), indent=2)},
    )


def proxy(site: sites.Site) -> sites.Daemon:
    """kube-proxy on nftables; its table lies in the sandbox's network namespace and dies with it."""
    config = site.folder.etc / "kube-proxy.json"
    return sites.Daemon(
        name="kube-proxy",
        command=(str(site.programs.path("kube-proxy")), f"--config={config}"),
        environment=site.environment(),
        ready=lambda: probing.http_status(10256, "/healthz"),
        restarts_with=control_plane.API_SERVER,
        files={config: json.dumps(_proxy(site), indent=2)},
    )


def _containerd(site: sites.Site) -> str:
    def quoted(value: object) -> str:
        return json.dumps(str(value))  # a JSON string is a TOML string

    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""\
version = 2
root = "{namespaces.HOME}/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]

[grpc]
address = "{namespaces.HOME}/{_SOCKET}"

[plugins."io.containerd.internal.v1.opt"]
path = "{namespaces.HOME}/opt"

[{cri}]
sandbox_image = "{PAUSE}"
# Without CAP_SYS_RESOURCE the kernel refuses lower scores and every pod would fail.
restrict_oom_score_adj = true

[{cri}.cni]
bin_dir = {quoted(site.programs.cni)}
conf_dir = {quoted(site.folder.etc / "cni")}

[{cri}.containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"

[{cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[{cri}.containerd.runtimes.runc.options]
BinaryName = {quoted(site.programs.path("runc"))}
SystemdCgroup = false

[{cri}.registry]
config_path = {quoted(site.folder.etc / "registries")}
"""


def _registry(site: sites.Site) -> str:
    """Plain HTTP is right for an address that exists on this machine only."""
    url = f"http://{registry(site)}"
    return f'server = "{url}"\n\n[host."{url}"]\ncapabilities = ["pull", "resolve"]\n'


def _network() -> dict[str, Any]:
    addresses = {
        "type": "host-local",
        "dataDir": f"{namespaces.HOME}/cni",
        "ranges": [[{"subnet": _NODE_PODS}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {
        "cniVersion": "0.4.0",
        "name": "hanbae",
        "plugins": [
            {"type": "ptp", "ipMasq": True, "ipam": addresses},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def _kubelet(site: sites.Site) -> dict[str, Any]:
    pki = site.folder.pki
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": site.identity.inner,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{site.identity.cgroup}",
        "clusterDNS": [DNS],
        "clusterDomain": "cluster.local",
        # Small, so that what a rotation does to a log that is followed is met here and not in production first.
        "containerLogMaxSize": "1Mi",
        "containerLogMonitorInterval": "3s",
        "containerRuntimeEndpoint": f"unix://{namespaces.HOME}/{_SOCKET}",
        # A machine whose disk is nearly full is the user's business: nothing is evicted, no image collected.
        "evictionHard": {},
        "failCgroupV1": False,
        "failSwapOn": False,
        "healthzBindAddress": "127.0.0.1",
        "imageGCHighThresholdPercent": 100,
        # kube-proxy has rules of its own; these would only need another program.
        "makeIPTablesUtilChains": False,
        # The default, -999, needs CAP_SYS_RESOURCE, which not every machine grants.
        "oomScoreAdj": 0,
        "podLogsDir": f"{namespaces.HOME}/pod-logs",
        "resolvConf": str(site.folder.etc / "resolv.conf"),
        "serializeImagePulls": False,
        "tlsCertFile": str(pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(pki / "kubelet.key"),
        "volumePluginDir": f"{namespaces.HOME}/volume-plugins",
    }


def _proxy(site: sites.Site) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(site.folder.pki / "kube-proxy.kubeconfig")},
        "clusterCIDR": control_plane.PODS,
        # The size of the connection table belongs to the whole machine and stays as it is.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpCloseWaitTimeout": "0s",
            "tcpEstablishedTimeout": "0s",
        },
        "healthzBindAddress": "127.0.0.1:10256",
        "hostnameOverride": site.identity.host,
        "metricsBindAddress": "127.0.0.1:10249",
        "mode": "nftables",
        # As for the kubelet.
        "oomScoreAdj": 0,
    }
