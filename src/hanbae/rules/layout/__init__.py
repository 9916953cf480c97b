"""Where files are, and which may be in git: the chart layout of the policy, values files, plaintext secrets."""

from hanbae.rules.layout import charts, documents, ignoring, keys, links, secrets, services

__all__ = ["charts", "documents", "ignoring", "keys", "links", "secrets", "services"]
