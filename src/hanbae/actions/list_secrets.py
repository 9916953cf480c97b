"""Says which keys of the services' Secrets are sealed in which environment, and which are not but should be.

Without a cluster and without a key: the form of a value shows whether it can be a sealed one, and the chart's values
say which keys the migrations read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from hanbae import errors, subjects
from hanbae.actions import broken_files
from hanbae.charts import values
from hanbae.migrations import declared_databases
from hanbae.planning import sealed_files, sealed_manifests
from hanbae.policy import environments, loading, service_paths
from hanbae.repository import checkouts, services, trees
from hanbae.results import secrets
from hanbae.sealing import ciphertexts, pins


def list_secrets(
    directory: Path,
    names: Sequence[str] = (),
    *,
    environment: str | None = None,
    broken: list[errors.FileFault] | None = None,
) -> tuple[secrets.SealedKey, ...]:
    """The keys of services, by service, then by environment in the order of promotion, then by name.

    Args:
        directory: The repository or a folder in it.
        names: Services; by default all of the repository.
        environment: Only this environment.
        broken: Takes the faults of services that cannot be read, so that the others are listed; None to raise the
            first.

    Raises:
        errors.WrongUse: An unknown service or environment.
        errors.FileFault: The policy or a values file has a fault.
    """
    loaded = services.opened(directory)
    every = services.check(loaded, *names)
    if environment is not None:
        environments.require(environment, loaded.policy)
    keys: list[secrets.SealedKey] = []
    if loaded.policy.secrets.are_external:
        return ()  # what pods read, and what fetches it, only the rendered objects say
    for service in names or every:
        try:
            if service_paths.has_no_chart(loaded.policy.services, service):
                keys += _without_chart(loaded, service)
            else:
                keys += _of_service(loaded, service)
        except errors.FileFault as fault:
            broken_files.take(fault, broken)
    return tuple(key for key in keys if environment in (None, key.environment))


def refuse_nothing_sealed(directory: Path, service: str, environment: str) -> NoReturn:
    """Say that an environment has no sealed values here, and on which branch they may be.

    Raises:
        errors.Refused: Always.
    """
    loaded = services.opened(directory)
    facts = {"service": service, "other": environment}
    own = loaded.policy.environments[environment].branch or ""
    branch = own
    with contextlib.suppress(errors.WrongUse):  # no clone, no branch
        _, branch = checkouts.Checkout.open(loaded.root).branches()
    if own and own != branch:
        facts |= {"branch": branch or "-", "own": own, "remote": loaded.policy.argocd.remote}
        raise errors.Refused("seal.other-on-its-branch", place=None, **facts)
    raise errors.Refused("seal.other-has-nothing", place=None, **facts)


def _of_service(loaded: loading.Loaded, service: str) -> Iterator[secrets.SealedKey]:
    documents = {}
    for environment in environments.on_kubernetes(loaded.policy):
        path, file = services.values_file(loaded, service, environment)
        documents[environment] = values.read(path, file)
    # One environment has what another one lacks: mostly a key that was forgotten on the way to production.
    everywhere = {key for document in documents.values() for key in _sealed(document)}
    for environment, document in documents.items():
        wave = loaded.policy.migrations.wave
        declared = declared_databases.declared(
            document.data, service, wave=wave, file=document.file
        )
        migrated = {database.url_key for database in declared}
        present = _sealed(document)
        for key in sorted(everywhere | migrated):
            needed: Any = "migration" if key in migrated else ""
            if key not in present:
                yield secrets.SealedKey(
                    service,
                    environment,
                    key,
                    "missing",
                    needed or "environments",
                    place=document.place(pins.DATA),
                )
                continue
            yield _present(service, environment, key, needed, document)


def _without_chart(loaded: loading.Loaded, service: str) -> Iterator[secrets.SealedKey]:
    """The keys of the SealedSecrets among an overlay's resources, or the manifests."""
    policy, tree = loaded.policy, trees.WorkingTree(loaded.root)
    by_environment = {
        environment: sealed_manifests.find(policy, tree, service, environment)
        for environment in environments.on_kubernetes(policy)
        if service_paths.is_in(policy.services, service, environment)
    }
    everywhere = {
        str(key) for sealed in by_environment.values() for key in sealed.section[pins.DATA[1]]
    }
    for environment, sealed in by_environment.items():
        for key in sorted(everywhere):
            place = subjects.Place(sealed.path)
            if key not in sealed.section[pins.DATA[1]]:
                yield secrets.SealedKey(
                    service, environment, key, "missing", "environments", place=place
                )
                continue
            document = values.Values.parse(sealed.text, sealed.path)
            place = document.place((*sealed_manifests.DATA, key))
            value = sealed.section[pins.DATA[1]][key]
            row = secrets.SealedKey(service, environment, key, "sealed", place=place)
            yield _looked_at(row, value, sealed.section)


def _present(
    service: str, environment: str, key: str, needed: Any, document: values.Values
) -> secrets.SealedKey:
    value, place = _sealed(document)[key], document.place((*pins.DATA, key))
    row = secrets.SealedKey(service, environment, key, "sealed", needed, place=place)
    return _looked_at(row, value, document.get(sealed_files.SECTION))


def _looked_at(row: secrets.SealedKey, value: Any, section: Any) -> secrets.SealedKey:
    """A key with what its value shows."""
    try:
        bits = ciphertexts.shape(value if isinstance(value, str) else "").bits
    except errors.WrongUse as error:
        return msgspec.structs.replace(row, state="malformed", fault=error.text)
    pin = pins.of(section, row.key)
    source = pins.source(section, pin)
    return msgspec.structs.replace(row, bits=bits, certificate=pin, source=source)


def _sealed(document: values.Values) -> dict[str, Any]:
    sealed = document.get(pins.DATA)
    return {str(key): value for key, value in sealed.items()} if isinstance(sealed, dict) else {}
