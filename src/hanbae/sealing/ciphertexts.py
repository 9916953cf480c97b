"""What can be told about a sealed value, and about the key that it stands under, without any private key."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from msgspec import Struct

from hanbae import errors, patterns

_LENGTH: Final = 2
_TAG: Final = 16
# Bytes of an RSA block, of keys with 2048 to 16384 bits.
_BLOCKS: Final = frozenset({256, 384, 512, 768, 1024, 2048})
_KEY: Final = patterns.lazy(r"(?!\.\.?\Z)[-._a-zA-Z0-9]{1,253}")


class Shape(Struct, frozen=True):
    """What a well-formed ciphertext shows to anybody.

    Attributes:
        bits: Size of the RSA key that it was sealed with.
        length: Bytes of the plaintext.
    """

    bits: int
    length: int


def shape(ciphertext: str) -> Shape:
    """Look whether a text can be a sealed value at all; whether it can be unsealed only the controller knows.

    Raises:
        errors.WrongUse: It cannot; the error says why and holds nothing of the text.
    """
    try:
        data = raw(ciphertext)
    except (binascii.Error, ValueError) as error:
        raise errors.WrongUse("seal.not-base64") from error
    block = int.from_bytes(data[:_LENGTH], "big")
    if block not in _BLOCKS:
        raise errors.WrongUse("seal.no-rsa-block")
    length = len(data) - _LENGTH - block - _TAG
    if length < 0:
        raise errors.WrongUse("seal.cut-off")
    return Shape(block * 8, length)


def raw(ciphertext: str) -> bytes:
    """The bytes of a sealed value. Ends of lines in it count for nothing, as to the controller.

    Raises:
        ValueError: It is no base64.
    """
    return base64.b64decode(ciphertext.replace("\n", "").replace("\r", ""), validate=True)


def is_key(key: str) -> bool:
    """Whether Kubernetes takes this for a key of a Secret: letters, digits, ``-``, ``_``, ``.``, at most 253."""
    return bool(_KEY.fullmatch(key))
