"""The Job that proves a database's migrations: goose of the migration's image, asking ``status`` instead of ``up``.

What it runs and reads is made from what was read of the migration alone: its image and pull secrets, its folder and
table, its driver as a text and its address as one key of one Secret. Of the migration's pod it keeps only how the pod
comes to a node and to the database: labels that network policies know, placement, name resolution and user.
By then the version table is there, so ``goose status`` only reads.
What goose has no command for is asked by a second container of the same pod, in SQL: see
:mod:`hanbae.argo.proof_questions`. The question travels as an annotation, so that the deployer's admission policy sees
every word of it and nothing else has to be there.
"""

from __future__ import annotations

import copy
import itertools
from typing import Any, Final

from hanbae.argo import proof_questions, proof_rules
from hanbae.migrations import dialects
from hanbae.policy import labels
from hanbae.releases import parts

DEADLINE: Final = 120
"""Seconds that a proof may take, pulling the image included (it is on some node by then)."""
WAY_BACK: Final = "down-to"
"""goose's command that takes back all that is newer than a version."""
DRIVER: Final = "GOOSE_DRIVER"
ADDRESS: Final = "GOOSE_DBSTRING"
"""The variables of a proof."""
ASKING: Final = proof_rules.ASKING
"""The container that asks about drift, and its volume."""

_RESOURCES: Final = {
    "requests": {"cpu": "10m", "memory": "32Mi"},
    "limits": {"cpu": "500m", "memory": "128Mi"},
}
# The user `nonroot` of distroless images.
_USER: Final = 65532
_POD_SECURITY: Final = {
    "runAsNonRoot": True,
    "runAsUser": _USER,
    "runAsGroup": _USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""For a pod that says nothing of its user: what the restricted profile of Pod Security asks for."""
_SECURITY: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_POD: Final = (
    "nodeSelector",
    "tolerations",
    "affinity",
    "runtimeClassName",
    "dnsConfig",
    "hostAliases",
)


def of(migration: parts.Migration, *, namespace: str, account: str) -> dict[str, Any]:
    """The proof of one database; name and key are given when it is run.

    Args:
        migration: A migration that is provable.
        namespace: Namespace of the release.
        account: The ServiceAccount that a proof may have, which is the release's own; another one is left out.
    """
    manifest = migration.part.object
    own = {**_labels(migration), labels.COMPONENT: "proof"}
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
                    **_placed(migration, account),
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "containers": [
                        {
                            "name": "status",
                            **_image(migration),
                            "securityContext": _SECURITY
                            | _mapping(manifest.get(*migration.part.pointer, "securityContext")),
                            "args": _arguments(migration),
                            "env": _variables(migration),
                            "resources": _RESOURCES,
                        }
                    ],
                },
            },
        },
    }


def way_back(proof: dict[str, Any], version: int, *, deadline: int) -> dict[str, Any]:
    """The Job that takes a database back: the proof's own, with the one other command that the deployer may run.

    Args:
        proof: The proof, in the image that has the files of what is taken back.
        version: The version that the database is to have then.
        deadline: Seconds that it may take.

    Raises:
        ValueError: There would be no migration left.
    """
    # `down-to 0` would take back all there is.
    if version < 1:
        raise ValueError(version)
    job = copy.deepcopy(proof)
    job["spec"]["activeDeadlineSeconds"] = deadline
    container = job["spec"]["template"]["spec"]["containers"][0]
    container["name"] = WAY_BACK
    # The last argument is the command; see `_arguments`.
    container["args"] = [*container["args"][:-1], WAY_BACK, str(version)]
    return job


def asking(proof: dict[str, Any]) -> dict[str, Any] | None:
    """The proof with the question about drift beside it; None for what is no PostgreSQL.

    Args:
        proof: The proof.
    """
    container = proof["spec"]["template"]["spec"]["containers"][0]
    drivers = [entry.get("value") for entry in container["env"] if entry.get("name") == DRIVER]
    if dialects.of_driver(str(drivers[0] if drivers else "")) != "postgres":
        return None
    job = copy.deepcopy(proof)
    template = job["spec"]["template"]
    template["metadata"].setdefault("annotations", {})[labels.DRIFT] = proof_questions.DRIFT
    mount = {"name": ASKING, "mountPath": proof_rules.FOLDER, "readOnly": True}
    second = copy.deepcopy(container) | {
        "name": ASKING,
        "args": list(proof_rules.QUESTION),
        "volumeMounts": [mount],
    }
    template["spec"]["containers"].append(second)
    field = {"fieldPath": f"metadata.annotations['{labels.DRIFT}']"}
    source = {"items": [{"path": proof_questions.DRIFT_FILE, "fieldRef": field}]}
    template["spec"]["volumes"] = [{"name": ASKING, "downwardAPI": source}]
    return job


def table(proof: dict[str, Any]) -> str:
    """The table of versions that a proof names; goose's own where it names none."""
    args = proof["spec"]["template"]["spec"]["containers"][0].get("args") or []
    after = [value for flag, value in itertools.pairwise(args) if flag == "-table"]
    return str(after[0]) if after else "goose_db_version"


def _labels(migration: parts.Migration) -> dict[str, Any]:
    manifest = migration.part.object
    return _mapping(manifest.get(*manifest.template_metadata, "labels"))


def _placed(migration: parts.Migration, account: str) -> dict[str, Any]:
    """How the pod comes to a node and to the database."""
    pod = _mapping(migration.part.object.get(*(migration.part.object.pod or ())))
    placed: dict[str, Any] = {name: pod[name] for name in _POD if name in pod}
    if pod.get("serviceAccountName") == account:
        placed["serviceAccountName"] = account
    if migration.image.pull_secrets:
        placed["imagePullSecrets"] = [{"name": name} for name in migration.image.pull_secrets]
    placed["securityContext"] = _POD_SECURITY | _mapping(pod.get("securityContext"))
    return placed


def _image(migration: parts.Migration) -> dict[str, Any]:
    policy = migration.part.object.get(*migration.part.pointer, "imagePullPolicy")
    image = {"image": migration.image.reference}
    if isinstance(policy, str):
        image["imagePullPolicy"] = policy
    return image | ({"command": [migration.program]} if migration.program else {})


def _arguments(migration: parts.Migration) -> list[str]:
    """In one form, because the deployer's admission policy takes no other."""
    # Without `-env=none` goose reads a `.env` in the folder where it starts, and takes from there
    # what is not set here.
    return ["-env=none", "-dir", migration.folder, "-table", migration.table, "status"]


def _variables(migration: parts.Migration) -> list[dict[str, Any]]:
    address = migration.address
    if address is None:
        raise ValueError(migration.job)  # no proof is made of what is not provable
    reference = {"name": address.secret, "key": address.key}
    return [
        {"name": DRIVER, "value": migration.driver},
        {"name": ADDRESS, "valueFrom": {"secretKeyRef": reference}},
    ]


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}
