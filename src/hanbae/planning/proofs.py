"""The Job that proves a database's migrations: the migration Job itself, asking ``status`` instead of ``up``.

It is made from the rendered migration Job, so that it reaches the database exactly as that one did: the same
image, pull secrets, labels that network policies know, and nothing of the environment but goose's own variables.
By then the version table is there, so ``goose status`` only reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hanbae import errors, subjects
from hanbae.migrations import databases
from hanbae.policy import labels

DEADLINE: Final = 120
"""Seconds that a proof may take, pulling the image included (it is on some node by then)."""

_GOOSE: Final = frozenset({"GOOSE_DRIVER", "GOOSE_DBSTRING"})
_RESOURCES: Final = {
    "requests": {"cpu": "10m", "memory": "32Mi"},
    "limits": {"cpu": "500m", "memory": "128Mi"},
}


def of(
    hook: Mapping[str, Any], database: databases.Database, *, namespace: str, place: subjects.Place
) -> dict[str, Any]:
    """The proof of one database; name and key are given when it is run.

    Args:
        hook: The rendered migration Job of the database.
        database: The database.
        namespace: Namespace of the release.
        place: The chart, for faults.

    Raises:
        hanbae.errors.FileFault: The Job does not run ``goose … up`` as its only container.
    """
    template = hook["spec"]["template"]
    pod, containers = template["spec"], template["spec"].get("containers") or []
    args = list(containers[0].get("args") or []) if len(containers) == 1 else []
    if not args or args[-1] != "up" or pod.get("initContainers"):
        raise errors.FileFault(
            "plan.not-goose-up", place=place, job=hook["metadata"]["name"], database=database.name
        )
    container = containers[0]
    kept = ("image", "imagePullPolicy", "command", "securityContext")
    own = {**(template["metadata"].get("labels") or {}), labels.COMPONENT: "proof"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"namespace": namespace, "labels": own},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": DEADLINE,
            "ttlSecondsAfterFinished": 300,
            "template": {
                "metadata": {"labels": own},
                "spec": {
                    **{name: pod[name] for name in _POD if name in pod},
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "containers": [
                        {
                            "name": "status",
                            **{name: container[name] for name in kept if name in container},
                            "args": _asking(args),
                            "env": [
                                variable
                                for variable in container.get("env") or []
                                if variable["name"] in _GOOSE
                            ],
                            "resources": _RESOURCES,
                        }
                    ],
                },
            },
        },
    }


_POD: Final = (
    "serviceAccountName",
    "imagePullSecrets",
    "securityContext",
    "nodeSelector",
    "tolerations",
    "affinity",
    "runtimeClassName",
    "dnsConfig",
    "hostAliases",
)


def job_of(
    jobs: Mapping[str, Mapping[str, Any]], database: databases.Database, expected: str
) -> Mapping[str, Any] | None:
    """The rendered migration Job of a database: by its label, else by the name that the chart contract gives it."""
    for job in jobs.values():
        own = job["metadata"].get("labels") or {}
        if own.get(labels.DATABASE) == database.name:
            return job
    return jobs.get(expected)


_FLAGS: Final = {"-env": "none", "-dir": "", "-table": "goose_db_version"}
"""The flags of goose that a proof has, in their order, with goose's own defaults, or ours for ``-env``."""


def _asking(args: Sequence[str]) -> list[str]:
    """The arguments of a migration, asking ``status`` instead of ``up``.

    In one form where that means the same, because the deployer's admission policy takes no other: flags with their
    values, folder and table, in one order.
    """
    flags: dict[str, str] = {}
    words = [*args[:-1]]
    while words:
        name, equals, value = words.pop(0).partition("=")
        name = f"-{name.lstrip('-')}" if name.startswith("-") else name
        if name not in _FLAGS or (not equals and not words):
            return [
                *args[:-1],
                "status",
            ]  # a form of the chart's own, which only a wider identity may run
        flags[name] = value if equals else words.pop(0)
    if "-dir" not in flags or flags.get("-env", "none") != "none":
        return [*args[:-1], "status"]
    table = flags.get("-table", _FLAGS["-table"])
    return ["-env=none", "-dir", flags["-dir"], "-table", table, "status"]
