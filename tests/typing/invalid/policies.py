"""Misuse of a policy."""

from __future__ import annotations

import hanbae

hanbae.load_policy("hanbae.yaml")  # E: arg-type


def rename(policy: hanbae.Policy) -> None:
    policy.version = 1  # E: misc
    assert policy.environments["dev"].brunch  # E: attr-defined


def place(error: hanbae.Error) -> int:
    return error.place.line  # E: union-attr
