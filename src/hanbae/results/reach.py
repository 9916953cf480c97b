"""Environments that could not be looked at, and why: what every command says of them that asks several."""

from __future__ import annotations

from msgspec import Struct

from hanbae import wording


class Unreached(Struct, frozen=True):
    """An environment that could not be looked at.

    Attributes:
        environment: Its name.
        why: Why not.
    """

    environment: str
    why: wording.Text
