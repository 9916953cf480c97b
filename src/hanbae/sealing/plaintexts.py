"""What a value must be so that a pod can start with it.

A value that no pod can start with is found out when it is deployed, by a container that is never created; here it is
found out before it is sealed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from hanbae import errors, masking
from hanbae.sealing import ciphertexts

LONGEST_VARIABLE: Final = 128 * 1024
"""Bytes of an environment variable with its name, ``=`` and the byte that ends it: Linux' MAX_ARG_STRLEN."""
LARGEST_SECRET: Final = 1024 * 1024
"""Bytes of all values of a Secret: Kubernetes' MaxSecretSize."""
SOPS: Final = b"ENC[AES256_GCM,"
"""What a value begins with that SOPS has encrypted."""


def check(
    plaintexts: Mapping[str, masking.Masked],
    *,
    allow_empty: bool = False,
    mounted: Collection[str] = (),
) -> None:
    """Refuse keys and values with which no pod starts.

    Args:
        plaintexts: Key to value.
        allow_empty: Take empty values too.
        mounted: Keys whose values are for files that are mounted: any bytes, as no environment variable holds them.

    Raises:
        errors.WrongUse: There are none; Kubernetes does not take a key; a value is empty or still encrypted by SOPS, or
            cannot be an environment variable's: it has a NUL, is not UTF-8 (refused by kubelets from 1.34 on), or is
            too long.
    """
    if not plaintexts:
        raise errors.WrongUse("seal.nothing")
    check_keys(list(plaintexts))
    for key, plaintext in plaintexts.items():
        if not plaintext and not allow_empty:
            raise errors.WrongUse("seal.empty", key=key)
        if is_still_encrypted(plaintext):
            raise errors.WrongUse("seal.value-sops", key=key)
        if key not in mounted:
            check_variable(key, plaintext)


def is_still_encrypted(plaintext: masking.Masked) -> bool:
    """Whether a value is one that SOPS has encrypted: pods would be given the ciphertext."""
    value = plaintext.unmask().strip()
    return value.startswith(SOPS) and value.endswith(b"]")


def check_keys(keys: Sequence[str]) -> None:
    """Refuse what cannot be the key of a Secret, without repeating it: it may be a value that was typed as one.

    Args:
        keys: The keys, as a command line has them.

    Raises:
        errors.WrongUse: One is ``KEY=VALUE``; the facts hold what is before the ``=``. One cannot be a key at all; the
            facts say the how manieth.
    """
    for number, key in enumerate(keys, 1):
        name, typed, _ = key.partition("=")
        if typed and ciphertexts.is_key(name):
            raise errors.WrongUse("seal.value-typed", key=name)
        if not ciphertexts.is_key(key):
            raise errors.WrongUse("seal.not-a-key", key=f"KEY[{number}]")


def check_variable(key: str, plaintext: masking.Masked) -> None:
    """Refuse a value that no environment variable can hold.

    Raises:
        errors.WrongUse: It has a NUL, is not UTF-8, or is too long.
    """
    value = plaintext.unmask()
    if b"\0" in value:
        raise errors.WrongUse("seal.nul", key=key)
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        # Not chained: the exception holds the value.
        raise errors.WrongUse("seal.not-utf8", key=key) from None
    if len(key) + 1 + len(value) + 1 > LONGEST_VARIABLE:
        limit = str(LONGEST_VARIABLE // 1024)
        raise errors.WrongUse("seal.too-long", key=key, limit=limit)


def check_size(plaintexts: Mapping[str, masking.Masked], sealed: Mapping[str, str]) -> None:
    """Refuse values with which their Secret becomes larger than Kubernetes takes it.

    Args:
        plaintexts: The values that are about to be sealed.
        sealed: All that the Secret has sealed so far, by key; those of `plaintexts` are replaced.

    Raises:
        errors.WrongUse: All together have more than `LARGEST_SECRET` bytes.
    """
    size = sum(len(plaintext) for plaintext in plaintexts.values())
    for key, ciphertext in sealed.items():
        if key not in plaintexts:
            size += _length(ciphertext)
    if size > LARGEST_SECRET:
        size_kib, limit = str(-(-size // 1024)), str(LARGEST_SECRET // 1024)
        raise errors.WrongUse("seal.secret-too-large", size=size_kib, limit=limit)


def _length(ciphertext: str) -> int:
    try:
        return ciphertexts.shape(ciphertext).length
    except errors.WrongUse:  # no sealed value at all; `secrets verify` says so
        return 0
