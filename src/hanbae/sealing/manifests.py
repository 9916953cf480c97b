"""The SealedSecret around the sealed values, and what can be told about a value without any key.

The object is the one that the chart renders; hanbae itself never applies it.
It is here for proofs: that a controller, or ``kubeseal --recovery-unseal``, makes the Secret of it that was meant.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hanbae import errors
from hanbae.sealing import encrypting

_LENGTH: Final = 2
_TAG: Final = 16
_BLOCKS: Final = frozenset({256, 384, 512, 768, 1024, 2048})
_KEY: Final = re.compile(r"(?!\.\.?\Z)[-._a-zA-Z0-9]{1,253}")
_DOMAIN: Final = "sealedsecrets.bitnami.com"


@dataclass(frozen=True)
class Shape:
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
        raw = base64.b64decode(ciphertext, validate=True)
    except (binascii.Error, ValueError) as error:
        raise errors.WrongUse("seal.not-base64") from error
    block = int.from_bytes(raw[:_LENGTH], "big")
    if block not in _BLOCKS:
        raise errors.WrongUse("seal.no-rsa-block")
    length = len(raw) - _LENGTH - block - _TAG
    if length < 0:
        raise errors.WrongUse("seal.cut-off")
    return Shape(block * 8, length)


def is_key(key: str) -> bool:
    """Whether Kubernetes takes this for a key of a Secret: letters, digits, ``-``, ``_``, ``.``, at most 253."""
    return bool(_KEY.fullmatch(key))


def sealed_secret(
    name: str,
    namespace: str,
    encrypted: Mapping[str, str],
    *,
    scope: encrypting.Scope = "strict",
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The SealedSecret, as the chart's ``sealed-secret.yaml`` renders it.

    Args:
        name: Of the SealedSecret and of the Secret.
        namespace: Of both.
        encrypted: Key to sealed value.
        scope: Also written on the object, where the controller looks for it, and on the Secret's template.
        annotations: Of the SealedSecret alone, such as the sync wave.
    """
    scoped = {} if scope == "strict" else {f"{_DOMAIN}/{scope}": "true"}
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    template = dict(metadata)
    if scoped:
        template["annotations"] = scoped
    if scoped or annotations:
        metadata["annotations"] = {**(annotations or {}), **scoped}
    return {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": metadata,
        "spec": {
            "encryptedData": dict(encrypted),
            "template": {"metadata": template, "type": "Opaque"},
        },
    }
