"""The three ways in which environments and clusters belong together; what commands do is tested over all of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from hanbae.actions import init

LAYOUTS: Final = ("one-cluster", "clusters", "hub")
"""All environments in one cluster; a cluster for each; one Argo CD that deploys into a cluster for each."""

ENVIRONMENTS: Final = ("dev", "staging", "production")
_HUB: Final = "hub"
_ALONE: Final = "alone"


def options(layout: str) -> list[str]:
    """The options of ``hanbae init`` for a layout."""
    return ["--one-cluster"] if layout == "one-cluster" else []


def arrange(root: Path, layout: str) -> None:
    """Finish what ``hanbae init`` has begun: a hub has no option, its policy is edited as its comments say."""
    if layout == "hub":
        policy = root / "hanbae.yaml"
        own = re.compile(r"^    control: (\w+)$", re.MULTILINE)
        text, count = own.subn(rf"    control: {_HUB}\n    workload: \1", policy.read_text())
        assert count, "no environment has a cluster of its own"
        policy.write_text(text)


def begin(root: Path, layout: str, *, repository: str = "https://git.example.com/shop.git") -> None:
    """A repository as ``hanbae init`` makes it, of a layout."""
    init.init(root, repository=repository, one_cluster=layout == "one-cluster")
    arrange(root, layout)


def control(environment: str, layout: str) -> str:
    """The context of the cluster that Argo CD is in; of the only one where the policy names none."""
    return {"one-cluster": _ALONE, "hub": _HUB}.get(layout, environment)


def workload(environment: str, layout: str) -> str:
    """The context of the pods' cluster; of the only one where the policy names none."""
    return _ALONE if layout == "one-cluster" else environment


def contexts(layout: str) -> tuple[str, ...]:
    """The contexts of all clusters."""
    return tuple(
        dict.fromkeys(
            of(environment, layout) for environment in ENVIRONMENTS for of in (control, workload)
        )
    )


def namespace(environment: str, layout: str) -> str:
    """The namespace of an environment's services."""
    return f"services-{environment}" if layout == "one-cluster" else "services"


def folders(environment: str, layout: str) -> tuple[str, ...]:
    """The folders below ``k8s/rbac`` for an environment."""
    return (
        (f"{environment}/control", f"{environment}/workload") if layout == "hub" else (environment,)
    )
