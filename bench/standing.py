"""``hanbae status`` of many services against a real API server and etcd."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.rows import Row
from tests.api.conftest import ControlPlane, Quiet
from tests.support import standing_shops

from hanbae.engines.helm import program
from hanbae.sandbox import binaries

SERVICES = 200
RUNS = 5
RESOURCES, SYNCS = 12, 10
"""Objects and remembered syncs of an Application, as in clusters that have lived for a while."""
HANBAE = str(Path(sys.executable).with_name("hanbae"))


def status() -> list[Row]:
    """200 services in three environments by either engine, as an administrator who may list."""
    return [*_status("argocd"), *_status("helm")]


def _status(engine: str) -> list[Row]:
    programs = binaries.obtain(progress=Quiet())
    with tempfile.TemporaryDirectory(prefix="hanbae-bench-") as name:
        folder = Path(name)
        shop = standing_shops.Shop(
            folder, [f"service{n:04}" for n in range(SERVICES)], engine=engine
        )
        plane = ControlPlane(folder, programs)
        try:
            plane.start()
            kubectl = standing_shops.Kubectl(programs.path("kubectl"), plane.kubeconfig)
            kubectl.begin(shop, programs.argocd_manifests / "crds")
            places = [(s, e) for s in shop.services for e in standing_shops.ENVIRONMENTS]
            if engine == "helm":
                for environment in standing_shops.ENVIRONMENTS:
                    pairs = [shop.release(service, environment) for service in shop.services]
                    kubectl.apply([record for record, _ in pairs])
                    applied = [item for _, items in pairs for item in items]
                    kubectl.apply(applied, manager=program.MANAGER)
            else:
                kubectl.apply(
                    [shop.application(*place, resources=RESOURCES, syncs=SYNCS) for place in places]
                )
            kubectl.apply([shop.lease(*place) for place in places])
            seconds = [_seconds(shop.root, plane.kubeconfig, folder) for _ in range(RUNS + 1)][1:]
        finally:
            plane.stop()
    size = f"{SERVICES} services x {len(standing_shops.ENVIRONMENTS)}"
    return [Row(f"status {size}, {engine}", statistics.median(seconds), None, "2 s", RUNS)]


def _seconds(root: Path, kubeconfig: Path, state: Path) -> float:
    environment = {
        **{name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
        "KUBECONFIG": str(kubeconfig),
        "XDG_STATE_HOME": str(state / "state"),
    }
    began = time.perf_counter()
    ended = subprocess.run(
        [HANBAE, "status", "--context", "admin"],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    if ended.returncode or ended.stdout.count("1.4.2") != SERVICES * 3:
        raise SystemExit(ended.stderr + ended.stdout[-2000:])
    return seconds
