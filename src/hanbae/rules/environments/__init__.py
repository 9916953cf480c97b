"""What each environment is told: branch, sync mode, values file, namespace, image, against the policy."""

from hanbae.rules.environments import (
    argo,
    images,
    keys,
    own_policies,
    rights,
    sharing,
    table,
    texts,
    trust,
)

__all__ = [
    "argo",
    "images",
    "keys",
    "own_policies",
    "rights",
    "sharing",
    "table",
    "texts",
    "trust",
]
