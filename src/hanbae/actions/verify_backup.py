"""Tries whether a backup of the controller's keys opens everything that is sealed in git, for nobody to see.

A backup is missed when the cluster is gone, and it is out of date with every renewal of the controller's key.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from hanbae import confinement, errors
from hanbae.actions import broken_files
from hanbae.planning import sealed_files
from hanbae.policy import environments, loading
from hanbae.repository import checkouts, services, trees
from hanbae.results import secrets
from hanbae.sealing import backups, encrypting, pins


def verify(
    directory: Path,
    keys: Sequence[backups.Key],
    names: Sequence[str] = (),
    *,
    environment: str | None = None,
    templates: Sequence[sealed_files.SealedFile] = (),
    broken: list[errors.FileFault] | None = None,
) -> secrets.BackedUp:
    """What of git a backup opens: the files as they are checked out, and those of the environments' branches.

    Of branches the charts' templates are not looked at, which would have to be rendered.

    Args:
        directory: The repository or a folder in it.
        keys: The keys of the backup.
        names: Services; by default all of the repository.
        environment: Only this environment.
        templates: SealedSecrets of charts' templates, of :mod:`hanbae.actions.reseal_templates`.
        broken: Takes the faults of files that cannot be read, so that the rest is tried; None to raise the first.

    Raises:
        errors.WrongUse: An unknown service or environment.
        errors.FileFault: A file has a fault.
    """
    confinement.forbid_core_dumps()
    loaded = services.opened(directory)
    sealed_files.refuse_store(loaded)
    every = services.check(loaded, *names)
    if environment is not None:
        environments.require(environment, loaded.policy)
    values: list[secrets.BackedUpKey] = []
    remembered: dict[str, None] = {}
    for place in environments.on_kubernetes(loaded.policy):
        if environment not in (None, place):
            continue
        # Most values stand on the branch as in the working tree, and trying one costs an RSA
        # operation for each key.
        tried: set[tuple[str, str]] = set()
        own = (("", file) for file in templates if file.environment == place)
        for revision, file in (*_files(loaded, names or every, place, broken), *own):
            remembered |= dict.fromkeys(filter(None, [file.remembered]))
            fresh = {
                key: value
                for key, value in file.ciphertexts.items()
                if (file.service, str(value)) not in tried
            }
            tried |= {(file.service, str(value)) for value in fresh.values()}
            values += _opened(loaded, keys, revision, file, fresh)
    fingerprints = tuple(key.fingerprint for key in keys if key.fingerprint)
    unknown = tuple(pin for pin in remembered if fingerprints and pin not in fingerprints)
    return secrets.BackedUp(fingerprints, tuple(values), unknown, broken_files.unread(broken))


def _files(
    loaded: loading.Loaded,
    names: Sequence[str],
    environment: str,
    broken: list[errors.FileFault] | None,
) -> Iterator[tuple[str, sealed_files.SealedFile]]:
    for name in names:
        try:
            file = sealed_files.find(loaded, name, environment)
        except errors.FileFault as fault:
            broken_files.take(fault, broken)
            continue
        if file is not None:
            yield "", file
    branch = _branch(loaded, environment)
    if branch is not None:
        yield from _of_branch(loaded, names, environment, branch, broken)


def _branch(loaded: loading.Loaded, environment: str) -> tuple[str, trees.Tree] | None:
    """An environment's branch as it was last fetched; None where there is no clone, or no such branch."""
    branch = loaded.policy.environments[environment].branch
    if not branch:
        return None
    remote = loaded.policy.argocd.remote
    with contextlib.suppress(errors.WrongUse, errors.Refused):
        checkout = checkouts.Checkout.open(loaded.root)
        tree: trees.Tree = checkout.revision(checkout.head(remote, branch))
        below = loaded.root.resolve().relative_to(checkout.root.resolve()).as_posix()
        return f"{remote}/{branch}", tree if below == "." else trees.Subtree(tree, below)
    return None


def _of_branch(
    loaded: loading.Loaded,
    names: Sequence[str],
    environment: str,
    branch: tuple[str, trees.Tree],
    broken: list[errors.FileFault] | None,
) -> Iterator[tuple[str, sealed_files.SealedFile]]:
    revision, tree = branch
    try:
        policy = services.located(loaded.policy, tree)
    except errors.FileFault as fault:
        broken_files.take(_placed(fault, revision), broken)
        return
    for name in names:
        try:
            file = sealed_files.of_tree(policy, tree, name, environment)
        except errors.FileFault as fault:
            broken_files.take(_placed(fault, revision), broken)
            continue
        if file is not None:
            yield revision, file


def _placed(fault: errors.FileFault, revision: str) -> errors.FileFault:
    """A fault of a branch's file, called as git calls it: the one that is checked out may be in order."""
    if fault.place is None:
        return fault
    place = msgspec.structs.replace(fault.place, file=f"{revision}:{fault.place.file}")
    return errors.FileFault.saying(fault.text, place)


def _opened(
    loaded: loading.Loaded,
    keys: Sequence[backups.Key],
    revision: str,
    file: sealed_files.SealedFile,
    values: dict[str, object],
) -> Iterator[secrets.BackedUpKey]:
    label = encrypting.label(file.scope or loaded.policy.secrets.scope, file.namespace, file.secret)
    for key, value in values.items():
        pin = pins.of(file.section, key)
        # The remembered key is tried first: each key that does not fit costs an RSA operation.
        opened = backups.open_value(str(value), keys, label, likely=pin)
        certificate = opened.key.fingerprint if opened is not None else pin
        yield secrets.BackedUpKey(
            file.service,
            file.environment,
            key,
            opened is not None,
            certificate,
            revision,
            file.path,
        )
