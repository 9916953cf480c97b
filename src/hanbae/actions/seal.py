"""Seals values and writes them into the values file of one environment.

The plaintext arrives masked and leaves as ciphertext: it is never in a file, an argument or a child's environment.
What can go wrong silently is the certificate: a value that was sealed for another cluster is found out when it is
deployed.
So the values file remembers the fingerprint of its certificate, and another one is only taken when the user says so,
whoever names it: as with ssh, a key that changed is either a renewal or an attack, and only a person can tell which.
The first one is taken on trust, so it comes over a verified connection, and is shown where it can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from hanbae import confinement, errors, masking, subjects
from hanbae.charts import values
from hanbae.planning import sealed_files, trusted_certificates
from hanbae.policy import (
    boundaries,
    documents,
    environments,
    loading,
    naming,
    service_paths,
)
from hanbae.repository import services
from hanbae.results import secrets
from hanbae.sealing import batches, certificates, encrypting, pins
from hanbae.sealing import plaintexts as plaintext_rules

if TYPE_CHECKING:
    from hanbae.planning import sealed_manifests


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


def refuse_early(directory: Path, service: str, environments_: Iterable[str]) -> None:
    """Refuse names that do not exist, and a policy with a store, before anybody is asked for a value."""
    loaded = services.opened(directory)
    sealed_files.refuse_store(loaded)
    for environment in environments_:
        environments.require(environment, loaded.policy)
    services.check_one(loaded, service)


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
            connection that was not verified; the policy says that values are in a store.
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

    All files change, or none: every certificate and every value is looked at, and every text made, before the first.

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
    loaded = _looked_at(
        directory,
        service,
        plaintexts,
        removed=removed,
        allow_empty=allow_empty,
        mounted=mounted,
    )
    trusted: dict[str, _Trusted] = {}
    for environment in _sealed_for(plaintexts):
        own = named.get(environment)
        trusted[environment] = (
            _named(own)
            if own
            else await _fetched(
                loaded,
                environment,
                context=context,
                kubeconfig=kubeconfig,
                unverified=unverified_cluster,
            )
        )
    drafts = _drafts(
        loaded, service, plaintexts, trusted, removed=removed, accept=accept_certificate
    )
    if not service_paths.has_no_chart(loaded.policy.services, service):
        return _written(drafts)
    with values.locked(_paths(drafts)):
        texts: Texts = {}
        results = [await draft.into_manifest(texts) for draft in drafts]
        values.replace_all(texts)
    return tuple(results)


def seal_offline(
    directory: Path,
    service: str,
    plaintexts: Mapping[str, Mapping[str, masking.Masked]],
    *,
    removed: Collection[str] = (),
    named: Mapping[str, Named] = MappingProxyType({}),
    accept_certificate: bool = False,
    allow_empty: bool = False,
    mounted: Collection[str] = (),
) -> tuple[secrets.Sealed, ...] | None:
    """As :func:`seal_several`, where neither a cluster nor a renderer is needed; else None, and nothing is done.

    An event loop takes as long to import as a hundred values to seal.

    Raises:
        errors.Error: As :func:`seal`.
    """
    loaded = _looked_at(
        directory,
        service,
        plaintexts,
        removed=removed,
        allow_empty=allow_empty,
        mounted=mounted,
    )
    sealed_for = _sealed_for(plaintexts)
    if service_paths.has_no_chart(loaded.policy.services, service) or set(sealed_for) - set(named):
        return None
    trusted = {environment: _named(named[environment]) for environment in sealed_for}
    return _written(
        _drafts(loaded, service, plaintexts, trusted, removed=removed, accept=accept_certificate)
    )


Texts = dict[Path, tuple[str, str]]
"""Files → what messages call them, and what they become."""


def _looked_at(
    directory: Path,
    service: str,
    plaintexts: Mapping[str, Mapping[str, masking.Masked]],
    *,
    removed: Collection[str],
    allow_empty: bool,
    mounted: Collection[str],
) -> loading.Loaded:
    """The policy, once it is known that these values may be sealed at all."""
    loaded = services.opened(directory)
    sealed_files.refuse_store(loaded)
    for environment in plaintexts:
        environments.require(environment, loaded.policy)
    services.check_one(loaded, service)
    confinement.forbid_core_dumps()
    for values_ in plaintexts.values():
        if values_ or not removed:
            plaintext_rules.check(values_, allow_empty=allow_empty, mounted=mounted)
    return loaded


def _sealed_for(plaintexts: Mapping[str, Mapping[str, masking.Masked]]) -> list[str]:
    """The environments whose certificate is needed: what is only taken out needs none."""
    return [environment for environment, values_ in plaintexts.items() if values_]


def _drafts(
    loaded: loading.Loaded,
    service: str,
    plaintexts: Mapping[str, Mapping[str, masking.Masked]],
    trusted: Mapping[str, _Trusted],
    *,
    removed: Collection[str],
    accept: bool,
) -> list[_Draft]:
    return [
        _Draft(loaded, service, environment, values_, trusted.get(environment), removed, accept)
        for environment, values_ in plaintexts.items()
    ]


def _written(drafts: Sequence[_Draft]) -> tuple[secrets.Sealed, ...]:
    """Make the texts of all files, while nobody else changes them, and replace all of them or none."""
    with values.locked(_paths(drafts)):
        texts: Texts = {}
        results = [draft.into_values(texts) for draft in drafts]
        values.replace_all(texts)
    return tuple(results)


def _paths(drafts: Sequence[_Draft]) -> dict[Path, str]:
    return {path: file for draft in drafts for path, file in draft.paths().items()}


def _named(named: Named) -> _Trusted:
    """A certificate that the user names; its folder is the user's own, and the file that remembers it is committed."""
    return _trusted(named.pem, named.source, Path(named.source).name)


async def _fetched(
    loaded: loading.Loaded,
    environment: str,
    *,
    context: str | None,
    kubeconfig: Path | None,
    unverified: bool,
) -> _Trusted:
    """The certificate of an environment's controller."""
    pem, source = await fetch_certificate(
        loaded.policy,
        environment,
        context=context,
        kubeconfig=kubeconfig,
        unverified_cluster=unverified,
    )
    return _trusted(pem, source, source)


def _trusted(pem: bytes, source: str, origin: str) -> _Trusted:
    """A certificate that has not expired; whether it is the remembered one is looked at with the file."""
    certificate = certificates.parse(pem, source)
    certificate.check(datetime.now(UTC))
    return _Trusted(certificate, source, origin)


class _Draft(Struct, frozen=True):
    """What is to be sealed and taken out in one environment.

    Attributes:
        loaded: The policy.
        service: The service.
        environment: The environment.
        plaintexts: Key → value.
        trusted: What is sealed for; None where nothing is.
        removed: Keys to take out.
        accept: Take a certificate that differs from the remembered one.
    """

    loaded: loading.Loaded
    service: str
    environment: str
    plaintexts: Mapping[str, masking.Masked]
    trusted: _Trusted | None
    removed: Collection[str]
    accept: bool

    def paths(self) -> dict[Path, str]:
        """The files that are written, or those in whose folders they are: path → what messages call it."""
        loaded, service, environment = self.loaded, self.service, self.environment
        if not service_paths.has_no_chart(loaded.policy.services, service):
            path, file = services.values_file(loaded, service, environment)
            return {path: file}
        sealed = self._manifest()
        files = [sealed.path, *([sealed.beside[0]] if sealed.beside is not None else [])]
        for file in files:
            if boundaries.inside(loaded.root, loaded.root / file) is None:
                raise errors.FileFault("placing.outside", place=subjects.Place(file))
        return {loaded.root / file: file for file in files}

    def into_values(self, texts: Texts) -> secrets.Sealed:
        """Seal into the values file; `texts` holds what files become, and takes what this one does."""
        path, file = services.values_file(self.loaded, self.service, self.environment)
        # Sealing begins before the file is read: other threads seal while this one parses.
        with self._sealing() as finish:
            present = texts.get(path)
            document = values.Values.parse(present[1], file) if present else values.read(path, file)
            section = document.get(sealed_files.SECTION)
            section = section if isinstance(section, dict) else {}
            self._check(section, document.place(pins.CERTIFICATE))
            sealed = finish()
        changes, outdated = self._changes(section, sealed)
        document.remove([(*part, key) for part in (pins.DATA, pins.PINS) for key in self.removed])
        sealed_files.update_values(self.loaded, self.service, document, changes)
        texts[path] = (file, document.text())
        return self._result(file, section, outdated)

    async def into_manifest(self, texts: Texts) -> secrets.Sealed:
        """Seal into the SealedSecret of the overlay or the manifests; `texts` as of :meth:`into_values`."""
        from hanbae.actions import seal_manifest  # what renders takes long to import

        manifest = self._manifest()
        self._check(manifest.section, subjects.Place(manifest.path))
        with self._sealing() as finish:
            changes, outdated = self._changes(manifest.section, finish())
        own = await seal_manifest.texts(
            self.loaded,
            self.service,
            self.environment,
            manifest,
            changes,
            removed=self.removed,
        )
        texts |= {self.loaded.root / file: (file, text) for file, text in own.items()}
        return self._result(manifest.path, manifest.section, outdated)

    def _manifest(self) -> sealed_manifests.Sealed:
        from hanbae.planning import sealed_manifests
        from hanbae.repository import trees

        tree = trees.WorkingTree(self.loaded.root)
        return sealed_manifests.find(self.loaded.policy, tree, self.service, self.environment)

    def _check(self, section: Mapping[str, Any], place: subjects.Place) -> None:
        """Refuse a certificate that is not this file's, keys that are not there, and more than a Secret can hold."""
        before = section.get(pins.DATA[1])
        present = before if isinstance(before, dict) else {}
        absent = [key for key in self.removed if key not in present]
        if absent:
            facts = {"service": self.service, "environment": self.environment}
            raise errors.WrongUse("seal.not-there", place=place, keys=", ".join(absent), **facts)
        if self.trusted is None:
            return
        if not self.accept:
            trusted_certificates.check(
                self.loaded,
                self.service,
                self.environment,
                remembered=str(section.get(pins.CERTIFICATE[1]) or ""),
                place=place,
                certificate=self.trusted.certificate,
            )
        plaintext_rules.check_size(self.plaintexts, present)

    def _sealing(self) -> AbstractContextManager[Callable[[], dict[str, str]]]:
        """Begin to seal; what is entered gives the sealed values."""
        if self.trusted is None:
            # What is entered is `dict` itself: called, it gives no values.
            return nullcontext(dict)
        policy = self.loaded.policy
        namespace = naming.namespace(policy, self.service, self.environment)
        secret = naming.secret(policy, self.service, self.environment)
        label = encrypting.label(policy.secrets.scope, namespace, secret)
        return batches.sealing(self.plaintexts, self.trusted.certificate.public_key, label)

    def _changes(
        self, section: Mapping[str, Any], sealed: Mapping[str, str]
    ) -> tuple[dict[tuple[str, ...], str], tuple[str, ...]]:
        """What is written so that values are sealed, and the keys that stay sealed for another certificate."""
        if self.trusted is None:
            return {}, ()
        fingerprint = self.trusted.certificate.fingerprint
        renewal = pins.renewal(section, sealed, fingerprint)
        changes: dict[tuple[str, ...], str] = {pins.CERTIFICATE: fingerprint}
        changes |= renewal.changes
        changes |= pins.sourced(section, fingerprint, self.trusted.origin)
        changes |= {(*pins.DATA, key): ciphertext for key, ciphertext in sealed.items()}
        return changes, renewal.outdated

    def _result(
        self, file: str, section: Mapping[str, Any], outdated: tuple[str, ...]
    ) -> secrets.Sealed:
        """What was done, told by names alone."""
        policy, trusted = self.loaded.policy, self.trusted
        secret = naming.secret(policy, self.service, self.environment)
        remembered = str(section.get(pins.CERTIFICATE[1]) or "")
        before = section.get(pins.DATA[1])
        present = before if isinstance(before, dict) else {}
        fingerprint = trusted.certificate.fingerprint if trusted else remembered
        return secrets.Sealed(
            self.service,
            self.environment,
            file,
            tuple(self.plaintexts),
            f"{naming.namespace(policy, self.service, self.environment)}/{secret}",
            policy.secrets.scope,
            fingerprint,
            renewed=bool(remembered) and remembered != fingerprint,
            source=trusted.source if trusted else "",
            first_use=trusted is not None and not remembered,
            outdated=outdated,
            added=tuple(key for key in self.plaintexts if key not in present),
            replaced=tuple(key for key in self.plaintexts if key in present),
            removed=tuple(self.removed),
        )


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
