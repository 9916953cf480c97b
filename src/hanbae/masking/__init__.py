"""Secrets that cannot be printed by accident, and the one redactor before the event stream.

A plaintext secret is held in :class:`Masked` from the moment it is read; every way to turn it into text
(``str``, ``repr``, ``format``, msgspec, pickling) gives a mask or fails.
Text that comes from elsewhere (logs of goose and of applications, messages of the cluster) passes through a
:class:`Redactor`, which knows the values that must not be seen and, by :mod:`hanbae.masking.shapes`, what secrets
look like.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hanbae.masking.masked import MASK, Masked

if TYPE_CHECKING:
    from hanbae.masking.redactor import Redactor

__all__ = ["MASK", "Masked", "Redactor"]


def __getattr__(name: str) -> Any:
    """The redactor, whose patterns take longer to build than most commands that only hold a secret need."""
    if name == "Redactor":
        from hanbae.masking import redactor

        return redactor.Redactor
    raise AttributeError(name)
