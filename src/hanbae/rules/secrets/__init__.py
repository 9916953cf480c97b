"""Every secret that a pod reads is sealed for the environment, and nothing is in git in clear."""

from hanbae.rules.secrets import (
    certificates,
    clear,
    controllers,
    covering,
    pods,
    references,
    sealing,
)

__all__ = ["certificates", "clear", "controllers", "covering", "pods", "references", "sealing"]
