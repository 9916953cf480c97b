"""What a sandbox consists of and what needs what: the whole graph on one page."""

from __future__ import annotations

from collections.abc import Callable

from hanbae.sandbox import (
    addons,
    argocd_roles,
    certificates,
    control_plane,
    node,
    part_runner,
    services,
    sites,
    system_images,
)

#: Pods start on a busy machine; one that is not there after this long will not come.
_PODS_S = 120.0


def daemons(site: sites.Site) -> tuple[tuple[sites.Daemon, tuple[str, ...]], ...]:
    """Every process of the sandbox, with the parts that it needs."""
    repository, controller, sets, server = argocd_roles.roles(site)
    api = control_plane.API_SERVER
    configured = ("redis", "argocd-kinds", "argocd-config")
    return (
        (control_plane.etcd(site), ()),
        (control_plane.api_server(site), ("etcd",)),
        (node.containerd(site), ()),
        (control_plane.controller_manager(site), (api,)),
        (control_plane.scheduler(site), (api,)),
        # Not before the images: no registry has them, so a pod without its image would wait for the
        # kubelet's back-off.
        (node.kubelet(site), (api, "images")),
        (node.proxy(site), (api,)),
        (services.registry(site), ()),
        (services.redis(site), ()),
        (repository, ("redis", "argocd-config")),
        (controller, configured),
        (sets, configured),
        (server, configured),
    )


def parts(site: sites.Site, starter: part_runner.Starter) -> list[part_runner.Part]:
    """Every part of the sandbox."""

    def step(
        name: str, needs: tuple[str, ...], work: Callable[[sites.Site], bool]
    ) -> part_runner.Part:
        return part_runner.Part(name, needs, lambda: work(site))

    def wait(name: str, needs: tuple[str, ...], ready: Callable[[], str]) -> part_runner.Part:
        return part_runner.Part(name, needs, lambda: starter.until(name, ready, deadline_s=_PODS_S))

    api = (control_plane.API_SERVER,)
    # Where pods run already, the name of a new image would end them before the image is there. A first start has no
    # time to wait for that, and no pod: the kubelet waits for the images.
    replacing = ("images",) if site.folder.ready.exists() else ()
    running = ("node", "kube-controller-manager", "kube-scheduler", "kube-proxy")
    return [
        *(
            part_runner.Part(daemon.name, needs, starter.daemon(daemon))
            for daemon, needs in daemons(site)
        ),
        step("argocd-crds", api, argocd_roles.define),
        wait("argocd-kinds", ("argocd-crds",), lambda: argocd_roles.defined(site)),
        step("argocd-config", api, argocd_roles.configure),
        step("images", ("containerd",), system_images.load),
        step("addons", (*api, *replacing), addons.apply),
        part_runner.Part("sealing-key", (), lambda: certificates.sealing(site.folder)),
        step("sealed-secrets-chart", (*api, "sealing-key", *replacing), addons.seal),
        wait("node", ("kubelet",), lambda: site.api.node_ready(site.identity.host)),
        wait("coredns", ("addons", *running), lambda: addons.dns_ready(site)),
        wait("postgresql", ("addons", *running), lambda: addons.postgresql_ready(site)),
        wait(
            "sealed-secrets",
            ("sealed-secrets-chart", *running),
            lambda: addons.sealed_secrets_ready(site),
        ),
        step("argocd-login", ("argocd-server",), argocd_roles.log_in),
    ]
