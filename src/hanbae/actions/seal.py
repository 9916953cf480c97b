"""Seals values and writes them into the values file of one environment.

The plaintext arrives masked and leaves as ciphertext: it is never in a file, an argument or a child's environment.
What can go wrong silently is the certificate: a value that was sealed for another cluster is found out when it is
deployed.
So the values file remembers the fingerprint of its certificate, and another one is only taken when the user says so,
whoever names it: as with ssh, a key that changed is either a renewal or an attack, and only a person can tell which.
The first one is taken on trust, so it comes over a verified connection, and is shown where it can be compared.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from hanbae import confinement, errors, masking, subjects
from hanbae.charts import values
from hanbae.planning import sealed_files, sealed_manifests, trusted_certificates
from hanbae.policy import documents, environments, loading, naming, service_paths
from hanbae.repository import services, trees
from hanbae.results import secrets
from hanbae.sealing import certificates, encrypting, pins
from hanbae.sealing import plaintexts as plaintext_rules


class Named(Struct, frozen=True):
    """A certificate that the user names, PEM.

    Attributes:
        pem: The certificate.
        source: Where it came from, for errors.
    """

    pem: bytes
    source: str


class _Trusted(Struct, frozen=True):
    """The certificate of an environment, once it may be sealed for."""

    certificate: certificates.Certificate
    source: str
    origin: str


async def seal(
    directory: Path,
    service: str,
    environment: str,
    plaintexts: Mapping[str, masking.Masked],
    *,
    certificate: bytes | None = None,
    certificate_source: str = "",
    context: str | None = None,
    kubeconfig: Path | None = None,
    accept_certificate: bool = False,
    unverified_cluster: bool = False,
    allow_empty: bool = False,
    binary: bool = False,
) -> secrets.Sealed:
    """Seal values for one service in one environment; keys that are not given stay as they are.

    Args:
        directory: The repository or a folder in it.
        service: The service.
        environment: The environment.
        plaintexts: Key to value.
        certificate: The controller's certificate, PEM; None to fetch it from the environment's controller.
        certificate_source: Where `certificate` came from, for errors.
        context: kubeconfig context instead of the environment's own.
        kubeconfig: kubeconfig instead of the one that kubectl would read.
        accept_certificate: Take a certificate that differs from the remembered one.
        unverified_cluster: Take the certificate over a connection on which anybody may answer: plain HTTP, or a
            kubeconfig that says ``insecure-skip-tls-verify``.
        allow_empty: Seal empty values too; they are mostly the trace of a command that failed.
        binary: The values are mounted as files, so that they may be what no environment variable can hold.

    Raises:
        errors.WrongUse: An unknown service, environment or context; a key that Kubernetes would refuse; a value that is
            empty or that no environment variable can hold; more than a Secret can hold.
        errors.FileFault: The policy or the values file has a fault.
        errors.Refused: The certificate has expired, is not this environment's, not the remembered one, or came over a
            connection that was not verified.
        errors.Unreachable: The controller did not answer.
    """
    named = {} if certificate is None else {environment: Named(certificate, certificate_source)}
    (sealed,) = await seal_several(
        directory,
        service,
        {environment: plaintexts},
        named=named,
        context=context,
        kubeconfig=kubeconfig,
        accept_certificate=accept_certificate,
        unverified_cluster=unverified_cluster,
        allow_empty=allow_empty,
        mounted=plaintexts if binary else (),
    )
    return sealed


async def seal_several(
    directory: Path,
    service: str,
    plaintexts: Mapping[str, Mapping[str, masking.Masked]],
    *,
    removed: Collection[str] = (),
    named: Mapping[str, Named] = MappingProxyType({}),
    context: str | None = None,
    kubeconfig: Path | None = None,
    accept_certificate: bool = False,
    unverified_cluster: bool = False,
    allow_empty: bool = False,
    mounted: Collection[str] = (),
) -> tuple[secrets.Sealed, ...]:
    """Seal values for one service in several environments, each for its own certificate, and take out others.

    Every certificate and every value is looked at before the first file changes.

    Args:
        directory: The repository or a folder in it.
        service: The service.
        plaintexts: Environment → key → value.
        removed: Keys to take out in each of the environments.
        named: Environment → its certificate, where it is not to be fetched from its controller.
        context: As of :func:`seal`.
        kubeconfig: As of :func:`seal`.
        accept_certificate: As of :func:`seal`.
        unverified_cluster: As of :func:`seal`.
        allow_empty: As of :func:`seal`.
        mounted: Keys whose values are mounted as files, so that they may be what no environment variable can hold.

    Raises:
        errors.Error: As :func:`seal`.
    """
    loaded = services.opened(directory)
    for environment in plaintexts:
        environments.require(environment, loaded.policy)
    services.check(loaded, service)
    confinement.forbid_core_dumps()
    for environment, values_ in plaintexts.items():
        if values_ or not removed:
            plaintext_rules.check(values_, allow_empty=allow_empty, mounted=mounted)
        _check_removed(loaded, service, environment, removed)
    trusted: dict[str, _Trusted | None] = {}
    for environment, values_ in plaintexts.items():
        trusted[environment] = None  # what is only taken out needs no certificate
        if values_:
            trusted[environment] = await _trust(
                loaded,
                service,
                environment,
                named.get(environment),
                context=context,
                kubeconfig=kubeconfig,
                accept=accept_certificate,
                unverified=unverified_cluster,
            )
    return tuple(
        [
            await _into(
                loaded,
                service,
                environment,
                plaintexts[environment],
                trust,
                removed=removed,
                accept=accept_certificate,
            )
            for environment, trust in trusted.items()
        ]
    )


async def _trust(
    loaded: loading.Loaded,
    service: str,
    environment: str,
    named: Named | None,
    *,
    context: str | None,
    kubeconfig: Path | None,
    accept: bool,
    unverified: bool,
) -> _Trusted:
    """The certificate of an environment, looked at before anything is written."""
    if named is not None:
        # Its folder is the user's own, and the file is committed.
        pem, source, origin = named.pem, named.source, Path(named.source).name
    else:
        pem, source = await fetch_certificate(
            loaded.policy,
            environment,
            context=context,
            kubeconfig=kubeconfig,
            unverified_cluster=unverified,
        )
        origin = source
    certificate = certificates.parse(pem, source)
    certificate.check(datetime.now(UTC))
    file = sealed_files.find(loaded, service, environment)
    if file is not None and not accept:
        trusted_certificates.check(
            loaded,
            service,
            environment,
            remembered=file.remembered,
            place=file.place,
            certificate=certificate,
        )
    return _Trusted(certificate, source, origin)


def _check_removed(
    loaded: loading.Loaded, service: str, environment: str, removed: Collection[str]
) -> None:
    if not removed:
        return
    file = sealed_files.find(loaded, service, environment)
    present = file.ciphertexts if file is not None else {}
    absent = [key for key in removed if key not in present]
    if absent:
        facts = {"keys": ", ".join(absent), "service": service, "environment": environment}
        raise errors.WrongUse("seal.not-there", place=file.place if file else None, **facts)


async def _into(
    loaded: loading.Loaded,
    service: str,
    environment: str,
    plaintexts: Mapping[str, masking.Masked],
    trusted: _Trusted | None,
    *,
    removed: Collection[str],
    accept: bool,
) -> secrets.Sealed:
    """Seal into the values file; without a chart, into the SealedSecret of the overlay or the manifests."""
    if service_paths.has_no_chart(loaded.policy.services, service):
        from hanbae.actions import seal_manifest  # what renders takes long to import

        sealed = sealed_manifests.find(
            loaded.policy, trees.WorkingTree(loaded.root), service, environment
        )
        where, place = (loaded, service, environment), subjects.Place(sealed.path)
        changes, outdated = _changed(
            *where,
            plaintexts=plaintexts,
            trusted=trusted,
            section=sealed.section,
            place=place,
            accept=accept,
        )
        await seal_manifest.write(loaded, service, environment, sealed, changes, removed=removed)
        return _result(
            *where,
            file=sealed.path,
            section=sealed.section,
            plaintexts=plaintexts,
            trusted=trusted,
            outdated=outdated,
            removed=removed,
        )
    path, file = services.values_file(loaded, service, environment)
    with values.editing(path, file) as document:
        where, place = (loaded, service, environment), document.place(pins.CERTIFICATE)
        section = document.get(sealed_files.SECTION)
        section = section if isinstance(section, dict) else {}
        changes, outdated = _changed(
            *where,
            plaintexts=plaintexts,
            trusted=trusted,
            section=section,
            place=place,
            accept=accept,
        )
        document.remove([(*part, key) for part in (pins.DATA, pins.PINS) for key in removed])
        sealed_files.update_values(loaded, service, document, changes)
    return _result(
        *where,
        file=file,
        section=section,
        plaintexts=plaintexts,
        trusted=trusted,
        outdated=outdated,
        removed=removed,
    )


def _result(
    loaded: loading.Loaded,
    service: str,
    environment: str,
    *,
    file: str,
    section: Mapping[str, Any],
    plaintexts: Collection[str],
    trusted: _Trusted | None,
    outdated: tuple[str, ...],
    removed: Collection[str],
) -> secrets.Sealed:
    """What was done, told by names alone."""
    secret = naming.secret(loaded.policy, service, environment)
    remembered = str(section.get(pins.CERTIFICATE[1]) or "")
    before = section.get(pins.DATA[1])
    present = before if isinstance(before, dict) else {}
    fingerprint = trusted.certificate.fingerprint if trusted else remembered
    return secrets.Sealed(
        service,
        environment,
        file,
        tuple(plaintexts),
        f"{naming.namespace(loaded.policy, service, environment)}/{secret}",
        loaded.policy.secrets.scope,
        fingerprint,
        renewed=bool(remembered) and remembered != fingerprint,
        source=trusted.source if trusted else "",
        first_use=trusted is not None and not remembered,
        outdated=outdated,
        added=tuple(key for key in plaintexts if key not in present),
        replaced=tuple(key for key in plaintexts if key in present),
        removed=tuple(removed),
    )


def _changed(
    loaded: loading.Loaded,
    service: str,
    environment: str,
    *,
    plaintexts: Mapping[str, masking.Masked],
    trusted: _Trusted | None,
    section: Mapping[str, Any],
    place: subjects.Place,
    accept: bool,
) -> tuple[dict[tuple[str, ...], str], tuple[str, ...]]:
    """What is written so that values are sealed, and the keys that stay sealed for another certificate.

    The certificate is looked at once more: the file is locked only now.
    """
    if trusted is None:
        return {}, ()
    certificate = trusted.certificate
    if not accept:
        trusted_certificates.check(
            loaded,
            service,
            environment,
            remembered=str(section.get(pins.CERTIFICATE[1]) or ""),
            place=place,
            certificate=certificate,
        )
    before = section.get(pins.DATA[1])
    plaintext_rules.check_size(plaintexts, before if isinstance(before, dict) else {})
    namespace = naming.namespace(loaded.policy, service, environment)
    secret = naming.secret(loaded.policy, service, environment)
    label = encrypting.label(loaded.policy.secrets.scope, namespace, secret)
    sealed = {
        key: encrypting.encrypt(plaintext, certificate.public_key, label)
        for key, plaintext in plaintexts.items()
    }
    renewal = pins.renewal(section, sealed, certificate.fingerprint)
    changes: dict[tuple[str, ...], str] = {pins.CERTIFICATE: certificate.fingerprint}
    changes |= renewal.changes
    changes |= pins.sourced(section, certificate.fingerprint, trusted.origin)
    changes |= {(*pins.DATA, key): ciphertext for key, ciphertext in sealed.items()}
    return changes, renewal.outdated


async def fetch_certificate(
    policy: documents.Policy,
    environment: str,
    *,
    context: str | None = None,
    kubeconfig: Path | None = None,
    unverified_cluster: bool = False,
) -> tuple[bytes, str]:
    """The certificate that an environment's controller serves now, PEM, and where it came from.

    It comes through the API server's proxy.

    Args:
        policy: The policy.
        environment: The environment.
        context: kubeconfig context instead of the environment's own.
        kubeconfig: kubeconfig instead of the one that kubectl would read.
        unverified_cluster: Take it over a connection on which anybody may answer.

    Raises:
        errors.Unreachable: The cluster or the controller did not answer.
        errors.Forbidden: The identity may not ask the controller.
        errors.Refused: There is no such controller, or the connection is not verified.
    """
    from hanbae.clusters import sealing_controllers

    async with sealing_controllers.reached(
        policy, environment, context=context, kubeconfig=kubeconfig, unverified=unverified_cluster
    ) as controller:
        return await controller.certificate(), controller.source
