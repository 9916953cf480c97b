"""Says which Secrets and keys the pods of rendered releases read, and who makes each: for any chart.

What a chart's values have sealed is told by :mod:`hanbae.actions.list_secrets`; other charts keep their SealedSecrets
as files, have an ExternalSecret, or leave the Secret to somebody else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from hanbae import errors
from hanbae.actions import broken_files
from hanbae.charts import pools
from hanbae.checking import projects
from hanbae.policy import environments, loading, naming
from hanbae.releases import external_secrets, needs, parts
from hanbae.repository import services
from hanbae.results import secrets
from hanbae.rules import views
from hanbae.rules.secrets import secret_readers
from hanbae.sealing import ciphertexts

ALL: Final = "*"
"""Instead of a key: pods read whatever keys the Secret has."""
_READ: Final = frozenset({"variable", "variables", "volume"})
"""The ways of reading that a service is about; credentials of registries and certificates are a cluster's."""

Readers = dict[tuple[str, str, str], list[secret_readers.Read]]
"""Namespace, name and key → who reads it."""


async def list_needed(
    directory: Path,
    names: Sequence[str] = (),
    *,
    environment: str | None = None,
    broken: list[errors.FileFault] | None = None,
    quiet: Collection[str] = (),
) -> tuple[secrets.SealedKey, ...]:
    """The keys that pods read, by service, then by environment, then by Secret and key.

    Args:
        directory: The repository or a folder in it.
        names: Services; by default all of the repository.
        environment: Only this environment.
        broken: Takes the faults of what does not render, so that the rest is listed; None to raise the first.
        quiet: Services of which it is known already why they do not render.

    Raises:
        errors.WrongUse: An unknown service or environment.
        errors.FileFault: The policy has a fault, or a chart does not render.
    """
    rendered = await render(directory, names, environment=environment, broken=broken, quiet=quiet)
    makers = _makers(rendered)
    return tuple(
        key
        for service in rendered
        if not names or service.name in names
        for name, release in service.releases.items()
        if environment in (None, name)
        for key in _of_release(release, makers)
    )


async def render(
    directory: Path,
    names: Sequence[str] = (),
    *,
    environment: str | None = None,
    broken: list[errors.FileFault] | None = None,
    quiet: Collection[str] = (),
) -> tuple[views.Service, ...]:
    """Every service of the repository as it is rendered for each environment: one may make what another reads.

    Args:
        directory: The repository or a folder in it.
        names: The services that are asked about, whose faults count; all if there are none.
        environment: The environment that is asked about; None for all.
        broken: Takes the faults of what does not render; None to raise the first.
        quiet: Services of which it is known already why they do not render.

    Raises:
        errors.WrongUse: An unknown service or environment.
        errors.FileFault: The policy has a fault, or a chart does not render.
    """
    project = projects.project(directory)
    every = (*project.services, *project.chartless)
    services.require(names, every, source=services.source(project.policy))
    if environment is not None:
        environments.require(environment, project.policy)
    selected = frozenset(names or every)
    rendered: list[views.Service] = []
    async with pools.opened() as pool:
        for name in every:
            faults: list[errors.FileFault] = []
            try:
                result = await projects.service(pool, project, name)
                rendered.append(result.service)
                faults += [fault for place, fault in result.faults if environment in (None, place)]
            except errors.FileFault as fault:
                faults.append(fault)
            for problem in faults if name in selected and name not in quiet else ():
                broken_files.take(problem, broken)
    return tuple(rendered)


async def variables(directory: Path, service: str) -> dict[str, frozenset[str]]:
    """Environment → keys of a service's own Secret that its pods read as environment variables; `ALL` for every key.

    Raises:
        errors.FileFault: The chart does not render.
    """
    project = projects.project(directory)
    async with pools.opened() as pool:
        result = await projects.service(pool, project, service)
    for _, fault in result.faults:
        raise fault
    return {
        name: frozenset(
            read.key or ALL
            for read in secret_readers.reads(release)
            if read.secret == (release.namespace, release.secret)
            and read.way in ("variable", "variables")
        )
        for name, release in result.service.releases.items()
    }


Makers = Mapping[tuple[str, str, str], list[parts.Product]]
"""Environment, namespace and name of a Secret → what makes it."""


def _makers(rendered: Iterable[views.Service]) -> Makers:
    makers: dict[tuple[str, str, str], list[parts.Product]] = {}
    for service in rendered:
        for environment, release in service.releases.items():
            for entry in needs.makes(release.objects):
                if entry.kind == "Secret":
                    where = (environment, entry.by.namespace, entry.name)
                    makers.setdefault(where, []).append(entry)
    return makers


def _of_release(release: views.Release, makers: Makers) -> Iterator[secrets.SealedKey]:
    by_key: Readers = {}
    for read in secret_readers.reads(release):
        if read.way in _READ and not read.optional:
            by_key.setdefault((*read.secret, read.key or ALL), []).append(read)
    for (namespace, name, key), reads in list(by_key.items()):
        own = makers.get((release.environment, namespace, name), [])
        listed = _referred(own) if key == ALL else frozenset()
        if listed:
            del by_key[namespace, name, key]
        for own_key in listed:
            by_key.setdefault((namespace, name, own_key), []).extend(reads)
    for (namespace, name, key), reads in sorted(by_key.items()):
        own = makers.get((release.environment, namespace, name), [])
        yield _key(release, name, key, reads, own)


def _referred(makers: Sequence[parts.Product]) -> frozenset[str]:
    """The keys that ExternalSecrets name: who reads all of the Secret reads each of them."""
    keys = (item.keys or frozenset() for item in makers if item.origin == "external")
    return frozenset().union(*keys)


def _key(
    release: views.Release,
    secret: str,
    key: str,
    reads: Sequence[secret_readers.Read],
    makers: Sequence[parts.Product],
) -> secrets.SealedKey:
    row = secrets.SealedKey(
        release.service.name,
        release.environment,
        key,
        "missing",
        "pods",
        secret=secret,
        read_by=tuple(dict.fromkeys(read.place.object.label for read in reads)),
        maker=", ".join(dict.fromkeys(f"{item.by.kind} {item.by.name}" for item in makers)),
        place=None,
    )
    # `keys` is None where they are decided elsewhere, as by an operator: that may be any key.
    holders = [item for item in makers if item.keys is None or key == ALL or key in item.keys]
    of_overlays = release.service.project.shared.overlay_secrets
    # An overlay is no release, so no object of the releases shows who makes its Secrets.
    if not makers and secret != release.secret and secret in of_overlays:
        return _replaced(row, state="made", maker="k8s")
    if not holders:
        return row
    row = _replaced(
        row, namespace=holders[0].by.namespace, reference=_reference(release, row, holders)
    )
    for item in holders:
        if item.origin == "sealed" and key != ALL:
            return _sealed(release, row, item)
    return _replaced(row, state="made")


def _reference(
    release: views.Release, row: secrets.SealedKey, holders: Sequence[parts.Product]
) -> str:
    """Where the value of a key is, where an ExternalSecret of the release says so."""
    objects = {item.by for item in holders if item.origin == "external"}
    for manifest in secret_readers.external(release):
        if manifest.ref in objects:
            for reference in external_secrets.references(manifest.data):
                if reference.key == row.key:
                    return str(reference)
            return ", ".join(external_secrets.stores(manifest.data))
    return ""


def _sealed(
    release: views.Release, row: secrets.SealedKey, maker: parts.Product
) -> secrets.SealedKey:
    """A key of a SealedSecret: whether its value can be a sealed one, wherever the chart has it from."""
    for manifest in secret_readers.sealed(release):
        value = secret_readers.ciphertexts(manifest).get(row.key)
        if manifest.ref == maker.by and value is not None:
            try:
                bits = ciphertexts.shape(value if isinstance(value, str) else "").bits
            except errors.WrongUse as error:
                return _replaced(row, state="malformed", fault=error.text)
            return _replaced(row, state="sealed", bits=bits)
    return _replaced(row, state="made")  # of another release, or of its template


def _replaced(row: secrets.SealedKey, **fields: object) -> secrets.SealedKey:
    return msgspec.structs.replace(row, **fields)


def joined(
    sealed: Sequence[secrets.SealedKey],
    needed: Sequence[secrets.SealedKey],
    loaded: loading.Loaded,
) -> tuple[secrets.SealedKey, ...]:
    """One list of what values have sealed and what pods read: a key that is in both is named once, with who reads it.

    Args:
        sealed: As of :func:`hanbae.actions.list_secrets.list_secrets`.
        needed: As of :func:`list_needed`.
        loaded: The policy, which names the services' own Secrets.
    """

    def where(key: secrets.SealedKey) -> tuple[str, str, str, str]:
        own = naming.secret(loaded.policy, key.service, key.environment)
        return key.service, key.environment, key.secret or own, key.key

    by_place = {where(key): key for key in needed}
    result = []
    for key in sealed:
        reader = by_place.pop(where(key), None)
        service, environment, secret, _ = where(key)
        # All keys of a Secret that is listed key by key need no line of their own.
        whole = by_place.pop((service, environment, secret, ALL), None)
        readers = (*(reader.read_by if reader else ()), *(whole.read_by if whole else ()))
        result.append(
            _replaced(
                key,
                secret=secret,
                read_by=tuple(dict.fromkeys(readers)),
                namespace=naming.namespace(loaded.policy, service, environment),
                scope=loaded.policy.secrets.scope,
            )
        )
    order = {name: number for number, name in enumerate(loaded.policy.environments)}
    everything = (*result, *by_place.values())
    return tuple(sorted(everything, key=lambda item: (item.service, order[item.environment])))
