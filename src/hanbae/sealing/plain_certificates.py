"""Reads a certificate of the usual form: its RSA key, and when it is valid.

What reads every form, cryptography's X.509, takes as long to import as three hundred values to seal.
So a certificate as a controller makes it (one PEM block, DER, an RSA key) is read here, without what else stands in it;
for anything else there is None, and the library is asked.
"""

from __future__ import annotations

import binascii
from datetime import UTC, datetime
from typing import Final, NamedTuple

_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_END: Final = b"-----END CERTIFICATE-----"
_LARGEST: Final = 64 * 1024
"""Bytes of PEM; a certificate of 4096 bits has about 2 KiB."""
_INTEGER: Final = 0x02
_BITS: Final = 0x03
_UTC_TIME: Final = 0x17
_TIME: Final = 0x18
_SEQUENCE: Final = 0x30
_VERSION: Final = 0xA0
_LONG: Final = 0x80
_RSA: Final = bytes.fromhex("06092a864886f70d0101010500")
"""The algorithm of an RSA key (RFC 8017, A.1): rsaEncryption, without parameters."""
_CENTURY: Final = 50
"""Of a year in two digits: from here on it is of the century before (RFC 5280, 4.1.2.5.1)."""


class Plain(NamedTuple):
    """What is read of a certificate.

    Attributes:
        der: The certificate's bytes.
        modulus: Of its RSA key.
        exponent: Of its RSA key.
        not_before: From when on it is valid.
        not_after: Until when.
    """

    der: bytes
    modulus: int
    exponent: int
    not_before: datetime
    not_after: datetime


def read(pem: bytes) -> Plain | None:
    """The one certificate of a PEM text; None where there is another number of blocks, or another form."""
    if len(pem) > _LARGEST or pem.count(b"-----BEGIN") != 1:
        return None
    _, begin, rest = pem.partition(_BEGIN)
    body, end, _ = rest.partition(_END)
    if not begin or not end:
        return None
    try:
        # Strict, because characters that are not base64 would be skipped otherwise.
        der = binascii.a2b_base64(body.translate(None, b" \t\r\n"), strict_mode=True)
        return _certificate(der)
    except (ValueError, IndexError):
        return None


class _Fields:
    """The elements of a piece of DER, one after another; each is asked for by its tag.

    Raises:
        ValueError: Another one comes, or its length is not written as DER has it.
        IndexError: None comes.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    def next_is(self, tag: int) -> bool:
        return self._data[self._offset] == tag

    def take(self, tag: int) -> bytes:
        """The content of the next element."""
        data, start = self._data, self._offset + 2
        if data[self._offset] != tag:
            raise ValueError(tag)
        length = data[start - 1]
        if length >= _LONG:
            count = length - _LONG
            length = int.from_bytes(data[start : start + count], "big")
            start += count
            if length < _LONG or length.bit_length() <= 8 * (count - 1):
                raise ValueError(tag)
        if start + length > len(data):
            raise ValueError(tag)
        self._offset = start + length
        return data[start : self._offset]

    def integer(self) -> int:
        """The next element, a number above 0."""
        content = self.take(_INTEGER)
        number = int.from_bytes(content, "big", signed=True)
        # DER has the shortest form only, in which one bit is left for the sign.
        if number <= 0 or len(content) != number.bit_length() // 8 + 1:
            raise ValueError(_INTEGER)
        return number

    def time(self) -> datetime:
        """The next element, a time in UTC as certificates have it."""
        short = self.next_is(_UTC_TIME)
        text = self.take(_UTC_TIME if short else _TIME).decode("ascii")
        digits = text.removesuffix("Z")
        if digits == text or not digits.isdigit() or len(digits) != (12 if short else 14):
            raise ValueError(_TIME)
        if short:
            digits = ("19" if int(digits[:2]) >= _CENTURY else "20") + digits
        # `strptime` takes a fifth of what is saved here to import.
        pairs = (int(digits[start : start + 2]) for start in range(4, 14, 2))
        month, day, hour, minute, second = pairs
        return datetime(int(digits[:4]), month, day, hour, minute, second, tzinfo=UTC)

    def end(self) -> None:
        if self._offset != len(self._data):
            raise ValueError(self._offset)


def _certificate(der: bytes) -> Plain:
    """The fields of RFC 5280, 4.1, in their order; names and extensions are passed by."""
    whole = _Fields(der)
    parts = _Fields(whole.take(_SEQUENCE))
    whole.end()
    body = _Fields(parts.take(_SEQUENCE))
    parts.take(_SEQUENCE)  # how it is signed
    parts.take(_BITS)
    parts.end()
    if body.next_is(_VERSION):
        body.take(_VERSION)
    body.take(_INTEGER)
    body.take(_SEQUENCE)
    body.take(_SEQUENCE)  # whose it is said to be
    validity = _Fields(body.take(_SEQUENCE))
    not_before, not_after = validity.time(), validity.time()
    validity.end()
    body.take(_SEQUENCE)
    modulus, exponent = _key(_Fields(body.take(_SEQUENCE)))
    return Plain(der, modulus, exponent, not_before, not_after)


def _key(info: _Fields) -> tuple[int, int]:
    if info.take(_SEQUENCE) != _RSA:
        raise ValueError(_RSA)
    bits = info.take(_BITS)
    info.end()
    if bits[0] != 0:  # bits that are left over
        raise ValueError(_BITS)
    whole = _Fields(bits[1:])
    numbers = _Fields(whole.take(_SEQUENCE))
    whole.end()
    modulus, exponent = numbers.integer(), numbers.integer()
    numbers.end()
    return modulus, exponent
