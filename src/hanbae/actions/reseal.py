"""Seals what is sealed already for the newest certificate, without anybody seeing a value.

The environment's controller does it, or this process with a backup of the controller's keys.
It is all or nothing: every value of every file is sealed anew, and opened again, before the first file changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from hanbae import confinement, errors
from hanbae.planning import sealed_files, stale_values
from hanbae.policy import environments, loading
from hanbae.repository import services
from hanbae.results import secrets
from hanbae.sealing import backups, certificates, encrypting, pins


async def by_controller(
    directory: Path,
    names: Sequence[str],
    environment: str,
    *,
    context: str | None = None,
    kubeconfig: Path | None = None,
    accept_certificate: bool = False,
    unverified_cluster: bool = False,
    every: bool = False,
    per_second: float = 2.0,
    templates: Sequence[sealed_files.SealedFile] = (),
) -> tuple[secrets.Resealed, ...]:
    """Let the environment's controller seal its values anew.

    Args:
        directory: The repository or a folder in it.
        names: Services; all of the repository if there are none.
        environment: The environment.
        context: kubeconfig context instead of the environment's own.
        kubeconfig: kubeconfig instead of the one that kubectl would read.
        accept_certificate: Take a certificate that differs from the remembered one.
        unverified_cluster: Ask over a connection on which anybody may answer.
        every: Also what is sealed for the newest certificate already.
        per_second: Requests to one page of the controller in a second.
        templates: SealedSecrets of charts' templates, of :mod:`hanbae.actions.reseal_templates`.

    Raises:
        errors.WrongUse: An unknown service or environment.
        errors.FileFault: A file has a fault.
        errors.Refused: The certificate is not to be trusted, the connection is not verified, or a file has changed
            meanwhile.
        errors.Failed: The controller cannot open a value; nothing is written.
        errors.Unreachable: The controller did not answer.
    """
    from hanbae.clusters import sealing_controllers

    loaded, files = _files(directory, names, environment)
    async with sealing_controllers.reached(
        loaded.policy,
        environment,
        context=context,
        kubeconfig=kubeconfig,
        unverified=unverified_cluster,
        per_second=per_second,
    ) as controller:
        certificate = certificates.parse(await controller.certificate(), controller.source)
        files += templates
        stale = stale_values.of(loaded, files, certificate, accept=accept_certificate, every=every)
        anew = [
            await stale_values.asked_for(loaded, controller, item, certificate) for item in stale
        ]
    return stale_values.write(loaded, stale, anew, certificate, controller.source)


def by_backup(
    directory: Path,
    names: Sequence[str],
    environment: str,
    keys: Sequence[backups.Key],
    *,
    certificate: certificates.Certificate | None = None,
    source: str = "",
    accept_certificate: bool = False,
    every: bool = False,
    templates: Sequence[sealed_files.SealedFile] = (),
) -> tuple[secrets.Resealed, ...]:
    """Seal an environment's values anew with a backup of its controller's keys, without reaching the cluster.

    Args:
        directory: The repository or a folder in it.
        names: Services; all of the repository if there are none.
        environment: The environment.
        keys: The keys, the newest first.
        certificate: What to seal for; by default the newest certificate of the backup.
        source: Where the certificate is from.
        accept_certificate: Take a certificate that differs from the remembered one.
        every: Also what is sealed for the newest certificate already.
        templates: SealedSecrets of charts' templates, of :mod:`hanbae.actions.reseal_templates`.

    Raises:
        errors.WrongUse: An unknown service or environment; the backup has keys without certificates.
        errors.FileFault: A file has a fault.
        errors.Refused: The certificate is not to be trusted, or a file has changed meanwhile.
        errors.Failed: None of the keys opens a value; nothing is written.
    """
    confinement.forbid_core_dumps()
    loaded, files = _files(directory, names, environment)
    certificate = certificate or keys[0].certificate
    if certificate is None:
        raise errors.WrongUse("backup.no-certificate", source=source)
    files += templates if every else _former(templates, keys, certificate)
    stale = stale_values.of(loaded, files, certificate, accept=accept_certificate, every=every)
    anew = [stale_values.recrypted(loaded, keys, item, certificate) for item in stale]
    return stale_values.write(loaded, stale, anew, certificate, source)


def _former(
    templates: Sequence[sealed_files.SealedFile],
    keys: Sequence[backups.Key],
    certificate: certificates.Certificate,
) -> list[sealed_files.SealedFile]:
    """Templates without what is sealed for a certificate: nothing in them says so, but its key opens it."""
    own = [key for key in keys if key.fingerprint == certificate.fingerprint]
    former = []
    for file in templates:
        label = encrypting.label(file.scope or "strict", file.namespace, file.secret)
        values = {
            key: text
            for key, text in file.ciphertexts.items()
            if backups.open_value(text, own, label) is None
        }
        former.append(msgspec.structs.replace(file, section={pins.DATA[1]: values}))
    return former


def _files(
    directory: Path, names: Sequence[str], environment: str
) -> tuple[loading.Loaded, list[sealed_files.SealedFile]]:
    loaded = services.opened(directory)
    sealed_files.refuse_store(loaded)
    environments.require(environment, loaded.policy)
    present = services.check(loaded, *names)
    files = [sealed_files.find(loaded, name, environment) for name in names or present]
    return loaded, [file for file in files if file is not None and file.ciphertexts]
