"""Plaintext secrets in a program that prints, logs and serialises."""

from __future__ import annotations

from typing import Final, NoReturn

MASK: Final = "•••"
"""What stands in the place of a secret."""


class Masked:
    """A plaintext secret that shows itself only when asked by name.

    Args:
        plaintext: The secret's bytes.
    """

    # Without a __dict__, what walks over attributes (vars, msgspec) finds no plaintext.
    __slots__ = ("_plaintext",)

    def __init__(self, plaintext: bytes) -> None:
        self._plaintext = plaintext

    def unmask(self) -> bytes:
        """The plaintext. The only way to it, so that every use can be found by searching."""
        return self._plaintext

    def __len__(self) -> int:
        return len(self._plaintext)

    def __bool__(self) -> bool:
        return bool(self._plaintext)

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Masked({MASK})"

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __reduce__(self) -> NoReturn:
        message = "a masked secret is not serialised"
        raise TypeError(message)
