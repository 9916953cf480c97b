"""What is known to fail is not started: secrets that nothing makes, images that are not there or lack migrations.

Everything here is known before anything is touched: from the commit, the cluster and the registry. What cannot be
asked (a registry that this machine does not reach, a Secret that may not be read) is left to the deployment itself,
and said: who reads nothing of it takes it for checked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from hanbae import errors, foreign_json, wording, workspaces
from hanbae.clusters import kinds, reading
from hanbae.images import references, sources, transporting
from hanbae.migrations import files
from hanbae.planning import deployments, freezing, secret_reads
from hanbae.policy import naming
from hanbae.repository import keeping
from hanbae.results import plans

ASKS_WITHIN: Final = 15.0
"""Seconds for one question about an image to a registry."""
READS_WITHIN: Final = 60.0
"""Seconds for reading the migrations in an image; it is done once for each digest."""
_SHOWN: Final = 5
_FOLDER_FLAGS: Final = ("-dir", "--dir")

_Names = dict[str, str] | None


class Examined(Struct, frozen=True):
    """What is known of a deployment before it begins.

    Attributes:
        reasons: Why it would fail, each with its cure.
        unchecked: What could not be looked at, each with its cure and followed by the reason.
    """

    reasons: tuple[wording.Text, ...] = ()
    unchecked: tuple[wording.Text, ...] = ()


class KnownToFail(errors.Refused):
    """Deployments that would fail; nothing was begun.

    Attributes:
        reasons: Each reason with its cure; the first one is the error's own text.
    """

    def __init__(self, reasons: tuple[wording.Text, ...]) -> None:
        super().__init__(reasons[0].id, place=None, **reasons[0].facts)
        self.reasons = reasons

    @property
    def texts(self) -> tuple[wording.Text, ...]:
        """Each reason."""
        return self.reasons


def is_begun(source: deployments.Source) -> bool:
    """Whether anything was done for the environment since the scaffold: an image named, or a value sealed."""
    return _names_image(source) or bool(_value(source, "sealedSecret", "encryptedData"))


def without_plan(source: deployments.Source) -> wording.Text | None:
    """Why there is nothing to plan: no image is named, so that the chart renders no pods."""
    image = _value(source, "image")
    if not isinstance(image, Mapping) or "repository" not in image or _names_image(source):
        return None
    return wording.Text("preflight.no-image", _facts(source) | {"file": source.values_file})


async def examine(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    source: deployments.Source,
    plan: plans.Plan,
) -> Examined:
    """Why a deployment would fail, and what could not be looked at."""
    secrets, images = await asyncio.gather(
        _secrets(space, clusters, source), _images(space, source, plan)
    )
    return Examined((*secrets.reasons, *images.reasons), (*secrets.unchecked, *images.unchecked))


async def _secrets(
    space: workspaces.Workspace, clusters: workspaces.Clusters, source: deployments.Source
) -> Examined:
    """Keys of the service's own Secret that pods need and that nothing makes."""
    objects = [manifest.object for manifest in source.rendered.manifests]
    own = naming.secret(space.policy, source.service, source.environment)
    keys_made = secret_reads.made(objects).get(own)
    needed = [read for read in secret_reads.of(objects) if read.secret == own]
    if keys_made is None and needed:
        try:
            keys_made = await _in_cluster(clusters, source.namespace, own)
        except errors.Error as error:
            readers = ", ".join(dict.fromkeys(read.reader for read in needed))
            facts = _facts(source) | {"secret": own, "readers": readers}
            return Examined((), _unchecked("preflight.secret-unchecked", facts, error))
    absent = [
        read for read in needed if keys_made is not None and read.key and read.key not in keys_made
    ]
    if not absent and (keys_made or not needed):
        return Examined()
    keys = [read.key for read in absent] or [""]
    facts = _facts(source) | {
        "secret": own,
        "keys": ", ".join(filter(None, keys)) or "-",
        "arguments": " ".join(filter(None, keys)) or "KEY",
        "readers": ", ".join(dict.fromkeys(read.reader for read in absent or needed)),
    }
    text_id = (
        "preflight.secret-keys-missing" if absent and keys_made else "preflight.secret-missing"
    )
    return Examined((wording.Text(text_id, facts),))


async def _in_cluster(clusters: workspaces.Clusters, namespace: str, name: str) -> frozenset[str]:
    """The keys of a Secret that somebody has made by hand; none where it is not there.

    Raises:
        hanbae.errors.Error: The cluster does not say.
    """
    secret = await reading.get(clusters.workload, kinds.SECRET, namespace, name)
    if secret is None:
        return frozenset()
    owners = secret["metadata"].get("ownerReferences") or []
    if any(owner.get("kind") == "SealedSecret" for owner in owners):
        return frozenset()  # it goes with the SealedSecret that the commit no longer has
    return frozenset(secret.get("data") or {})


async def _images(
    space: workspaces.Workspace, source: deployments.Source, plan: plans.Plan
) -> Examined:
    """Images that the registry does not have, and those without the commit's migrations."""
    names = freezing.references(source)
    registries = sources.of(space.policy, insecure=space.insecure)
    answers = await asyncio.gather(*(_digest(name, registries) for name in names))
    digests = dict(zip(names, answers, strict=True))
    absent = tuple(
        wording.Text("preflight.image-missing", _facts(source) | {"image": name})
        for name, digest in digests.items()
        if digest == ""
    )
    unchecked = tuple(
        text
        for name, answer in digests.items()
        if isinstance(answer, errors.Error)
        for text in _unchecked(_cure(answer), _facts(source) | {"image": name}, answer)
    )
    if absent:
        return Examined(absent, unchecked)
    proofs = [step.does for step in plan.steps if isinstance(step.does, plans.Prove)]
    compared = await asyncio.gather(
        *(_migrations(registries, source, proof, digests) for proof in proofs)
    )
    return Examined(
        tuple(reason for part in compared for reason in part.reasons),
        (*unchecked, *(text for part in compared for text in part.unchecked)),
    )


def _unchecked(
    text_id: str, facts: Mapping[str, str], error: errors.Error
) -> tuple[wording.Text, wording.Text]:
    """That something was not looked at, and why."""
    return wording.Text(text_id, {**facts, "why": error.text.id}), error.text


def _cure(error: errors.Error) -> str:
    """The sentence about an image that was not asked for, with what would help."""
    if isinstance(error, errors.Forbidden):
        return "preflight.image-unchecked-login"
    if isinstance(error, errors.Unreachable) and error.text.id != transporting.SPEAKS_PLAINLY:
        return "preflight.image-unchecked-silent"
    return "preflight.image-unchecked"


async def _digest(name: str, registries: sources.Sources) -> str | errors.Error:
    """The digest of an image; empty where the registry does not have it; the error where it does not say."""
    host = ""
    try:
        reference = references.parse(name)
        host = reference.host
        async with asyncio.timeout(ASKS_WITHIN):
            return await registries.digest(reference) or ""
    except errors.Error as error:
        return error
    except TimeoutError:
        return errors.Unreachable("registry.unreachable", host=host, reason=f"> {ASKS_WITHIN:g} s")


async def _migrations(
    registries: sources.Sources,
    source: deployments.Source,
    proof: plans.Prove,
    digests: Mapping[str, str | errors.Error],
) -> Examined:
    """Why the migrations in the image are not those of the commit."""
    container = proof.job["spec"]["template"]["spec"]["containers"][0]
    name, folder = str(container.get("image") or ""), _folder(container)
    digest = digests.get(name)
    if not isinstance(digest, str) or not digest or not folder:
        return Examined()  # that the registry did not answer is said of the image already
    facts = _facts(source) | {"database": proof.database, "image": name}
    try:
        present = await _in_image(name, digest, folder, registries)
    except errors.Error as error:
        return Examined((), _unchecked("preflight.migrations-unchecked", facts, error))
    if present is None:
        return Examined()
    theirs = {path: value for path, value in present.items() if files.version_of(path) is not None}
    ours = _in_commit(source, proof)
    for text_id, differing in (
        ("preflight.image-lacks-migrations", ours.keys() - theirs.keys()),
        ("preflight.image-has-other-migrations", theirs.keys() - ours.keys()),
        (
            "preflight.image-has-edited-migrations",
            {path for path in ours.keys() & theirs.keys() if ours[path] != theirs[path]},
        ),
    ):
        if differing:
            return Examined((wording.Text(text_id, facts | {"files": listed(differing)}),))
    return Examined()


def _in_commit(source: deployments.Source, proof: plans.Prove) -> dict[str, str]:
    """File name → digest of the migrations of a database in the commit."""
    import hashlib

    return {
        path.rpartition("/")[
            2
        ]: f"sha256:{hashlib.sha256(source.revision.read(path) or b'').hexdigest()}"
        for path in proof.files
    }


async def _in_image(name: str, digest: str, folder: str, registries: sources.Sources) -> _Names:
    """File name → digest of the files in a folder of an image; None where it has none for us.

    Raises:
        hanbae.errors.Error: They cannot be read.
    """
    kept = keeping.opened()
    key = keeping.key("image-files-1", digest, folder)
    if kept is not None and (stored := kept.get(key)) is not None:
        try:
            return foreign_json.decode(stored, dict[str, str])
        except foreign_json.Fault:
            pass
    reference = references.parse(name)
    answer = await registries.migrations_in(reference, folder, within=READS_WITHIN)
    if answer is None or answer.digests is None:
        return None
    names = dict(answer.digests)
    if kept is not None:
        kept.put(key, msgspec.json.encode(names))
    return names


def _folder(container: Mapping[str, Any]) -> str:
    """The absolute folder that goose reads, by its arguments or its variable; empty where it is not named."""
    arguments = [
        str(part) for part in (container.get("command") or []) + (container.get("args") or [])
    ]
    for index, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        if flag in _FOLDER_FLAGS:
            value = value if equals else next(iter(arguments[index + 1 :]), "")
            return value if value.startswith("/") else ""
    for variable in container.get("env") or []:
        if variable.get("name") == "GOOSE_MIGRATION_DIR":
            value = str(variable.get("value") or "")
            return value if value.startswith("/") else ""
    return ""


def _names_image(source: deployments.Source) -> bool:
    image = _value(source, "image")
    return isinstance(image, Mapping) and bool(image.get("tag") or image.get("digest"))


def _value(source: deployments.Source, *path: str) -> Any:
    current: Any = source.rendered.values
    for part in path:
        current = current.get(part) if isinstance(current, Mapping) else None
    return current


def _facts(source: deployments.Source) -> dict[str, str]:
    return {
        "service": source.service,
        "environment": source.environment,
        "revision": source.revision.commit[:12],
    }


def listed(names: Iterable[str]) -> str:
    """The first names in their order; the others are counted."""
    listed = sorted(names)
    more = len(listed) - _SHOWN
    return ", ".join(listed[:_SHOWN]) + (f" … (+{more})" if more > 0 else "")
