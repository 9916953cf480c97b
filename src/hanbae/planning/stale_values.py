"""Sealed values that are to be sealed anew: by the controller that opens them, or with a backup of its keys.

A controller's own answer loses what stands around the values and fills in templates, so only the values are taken from
it, each under the key that it had; and no value is written before every one has been opened again.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from hanbae import errors
from hanbae.planning import sealed_files, trusted_certificates
from hanbae.policy import loading
from hanbae.results import secrets
from hanbae.sealing import backups, certificates, ciphertexts, encrypting, objects, pins

if TYPE_CHECKING:
    from hanbae.clusters import sealing_controllers


class Stale(Struct, frozen=True):
    """Sealed values that are to be sealed anew.

    Attributes:
        file: The file that they are written to.
        values: Key → sealed value.
    """

    file: sealed_files.SealedFile
    values: Mapping[str, str]


def of(
    loaded: loading.Loaded,
    files: Sequence[sealed_files.SealedFile],
    certificate: certificates.Certificate,
    *,
    accept: bool,
    every: bool,
) -> list[Stale]:
    """What is to be sealed anew, once the certificate is one to be sealed for.

    Args:
        loaded: The policy.
        files: The files.
        certificate: The certificate.
        accept: Take one that differs from the remembered one.
        every: Also what is sealed for this one already.

    Raises:
        errors.FileFault: What is in place of a sealed value can be none.
        errors.Refused: The certificate is not to be trusted.
    """
    stale = []
    for file in files:
        check_certificate(loaded, file, certificate, accept=accept)
        values = {
            key: _text(file, key, value)
            for key, value in file.ciphertexts.items()
            if every or pins.of(file.section, key) != certificate.fingerprint
        }
        if values:
            stale.append(Stale(file, values))
    return stale


def check_certificate(
    loaded: loading.Loaded,
    file: sealed_files.SealedFile,
    certificate: certificates.Certificate,
    *,
    accept: bool,
) -> None:
    """Refuse a certificate that has expired, or that is not the one of a file and nobody has accepted.

    Raises:
        errors.Refused: It is one of these.
    """
    certificate.check(datetime.now(UTC))
    if not accept:
        # A template remembers nothing; the service's values may.
        remembered = file.remembered or (
            trusted_certificates.of(loaded, file.service, file.environment) if file.scope else ""
        )
        trusted_certificates.check(
            loaded,
            file.service,
            file.environment,
            remembered=remembered,
            place=file.place,
            certificate=certificate,
        )


def _text(file: sealed_files.SealedFile, key: str, value: object) -> str:
    """A value that can be a sealed one: of another no controller says more than that it opens nothing."""
    text = value if isinstance(value, str) else ""
    try:
        ciphertexts.shape(text)
    except errors.WrongUse:
        raise errors.FileFault(
            "seal.reseal-malformed", place=file.place, key=key, service=file.service
        ) from None
    return text


async def asked_for(
    loaded: loading.Loaded,
    controller: sealing_controllers.Controller,
    stale: Stale,
    certificate: certificates.Certificate,
) -> Mapping[str, str]:
    """The values as the controller seals them anew, once it has opened what it made.

    Raises:
        errors.Failed: It cannot open a value, or does not give every one back.
    """

    def sealed(values: Mapping[str, str]) -> dict[str, object]:
        scope = stale.file.scope or loaded.policy.secrets.scope
        return objects.least(stale.file.namespace, stale.file.secret, scope, values)

    answer = await controller.sealed_anew(sealed(stale.values))
    # The answer does not say which value it is, so each is asked about by itself.
    if answer is None:
        unopened = [
            key
            for key, text in stale.values.items()
            if not await controller.opens(sealed({key: text}))
        ]
        raise _unopened(stale, unopened or list(stale.values))
    anew = {key: answer.get(key) for key in stale.values}
    bits = certificate.public_key.key_size
    texts = {
        key: str(value) for key, value in anew.items() if _is_of(value, stale.values[key], bits)
    }
    if texts.keys() != stale.values.keys() or not await controller.opens(sealed(texts)):
        lost = ", ".join(key for key in stale.values if key not in texts) or "-"
        raise errors.Failed("seal.reseal-lossy", place=stale.file.place, keys=lost)
    return texts


def _is_of(anew: object, before: str, bits: int) -> bool:
    """Whether a value can be what was sealed before, for a key of this size: a plaintext as long, in another text."""
    if not isinstance(anew, str) or anew == before:
        return False
    try:
        shape = ciphertexts.shape(anew)
    except errors.WrongUse:
        return False
    return shape == ciphertexts.Shape(bits, ciphertexts.shape(before).length)


def recrypted(
    loaded: loading.Loaded,
    keys: Sequence[backups.Key],
    stale: Stale,
    certificate: certificates.Certificate,
    *,
    former: bytes | None = None,
) -> Mapping[str, str]:
    """The values sealed anew in this process.

    Args:
        loaded: The policy.
        keys: What opens them.
        stale: The values.
        certificate: What they are sealed for.
        former: The label with which they were sealed, where it is not that of their file.

    Raises:
        errors.Failed: None of the keys opens a value.
    """
    file, scope = stale.file, stale.file.scope or loaded.policy.secrets.scope
    label = encrypting.label(scope, file.namespace, file.secret)
    anew, unopened = {}, []
    for key, text in stale.values.items():
        likely = pins.of(file.section, key)
        opened = backups.open_value(text, keys, label if former is None else former, likely=likely)
        if opened is None:
            other = backups.other_scope(text, keys, file.namespace, file.secret, scope)
            if other is not None:
                facts = {"key": key, "scope": scope, "other": other, "secret": file.secret}
                text_id = "seal.reseal-scope-template" if file.scope else "seal.reseal-scope"
                raise errors.Failed(text_id, place=file.place, **facts)
            unopened.append(key)
            continue
        anew[key] = encrypting.encrypt(opened.plaintext, certificate.public_key, label)
    if unopened:
        raise _unopened(stale, unopened)
    return anew


def _unopened(stale: Stale, keys: Sequence[str]) -> errors.Failed:
    facts = {
        "keys": shlex.join(keys),
        "service": stale.file.service,
        "environment": stale.file.environment,
        "secret": f"{stale.file.namespace}/{stale.file.secret}",
    }
    return errors.Failed("seal.reseal-unopened", place=stale.file.place, **facts)


def write(
    loaded: loading.Loaded,
    stale: Sequence[Stale],
    anew: Sequence[Mapping[str, str]],
    certificate: certificates.Certificate,
    source: str,
) -> tuple[secrets.Resealed, ...]:
    """Write values into their files, all or none, with the certificate that they are sealed for."""
    updates, rows = [], []
    for item, values in zip(stale, anew, strict=True):
        file, fingerprint = item.file, certificate.fingerprint
        changes: dict[tuple[str, ...], str] = {}
        if not file.scope:  # a template has no room for what is remembered
            changes[pins.CERTIFICATE] = fingerprint
            changes |= pins.renewal(file.section, values, fingerprint).changes
            changes |= pins.sourced(file.section, fingerprint, source)
        changes |= {(*pins.DATA, key): text for key, text in values.items()}
        updates.append(sealed_files.Update(file, changes))
        former = dict.fromkeys(filter(None, (pins.of(file.section, key) for key in values)))
        rows.append(
            secrets.Resealed(
                file.service,
                file.environment,
                file.path,
                tuple(values),
                f"{file.namespace}/{file.secret}",
                fingerprint,
                tuple(former),
            )
        )
    sealed_files.write(loaded, updates)
    return tuple(rows)
