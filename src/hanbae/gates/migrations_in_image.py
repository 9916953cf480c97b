"""The image contains the team's migration tool's files: exactly the revision's migrations."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from hanbae import errors, foreign_json, wording
from hanbae.gates import image_pushed, targets, verdicts
from hanbae.images import references, sources
from hanbae.migrations import goose_files
from hanbae.planning import deployments
from hanbae.repository import keeping
from hanbae.results import plans

READS_WITHIN: Final = 60.0
"""Seconds for reading the migrations in an image; it is done once for each digest."""
_MOST_NAMES: Final = 5
_FOLDER_FLAGS: Final = ("-dir", "--dir")

_Names = dict[str, str] | None


async def decide(target: targets.Target) -> verdicts.Verdict:
    """Whether the images that migrate have exactly the migrations of the commit, byte for byte."""
    digests = await target.digests()
    if any(answer == "" for answer in digests.values()):
        return verdicts.pending("gate.image-absent")
    proofs = list(target.proofs)
    if not proofs:
        return verdicts.passed("gate.no-migrations")
    compared = await asyncio.gather(*(_of_proof(target, proof, digests) for proof in proofs))
    return verdicts.joined(*compared)


async def _of_proof(
    target: targets.Target, proof: plans.Prove, digests: Mapping[str, str | errors.Error]
) -> verdicts.Verdict:
    """Whether the migrations of one database are those of the commit."""
    container = proof.job["spec"]["template"]["spec"]["containers"][0]
    name, folder = str(container.get("image") or ""), folder_of(container)
    digest = digests.get(name)
    facts = target.facts | {"database": proof.database, "image": name, "folder": folder or "-"}
    if isinstance(digest, errors.Error):
        return verdicts.Verdict(pending=(digest.text,))  # it is said of the image already
    if not digest or not folder:
        return verdicts.pending("gate.image-unread", **facts)
    try:
        present = await _in_image(name, digest, folder, target.registries)
    except errors.Error as error:
        texts = image_pushed.unchecked("preflight.migrations-unchecked", facts, error)
        return verdicts.Verdict(unseen=texts)
    if present is None:
        return verdicts.pending("gate.image-unread", **facts)
    theirs = {name: value for name, value in present.items() if _is_sql(name)}
    ours = _in_commit(target.source, proof)
    for text_id, differing in (
        ("preflight.image-lacks-migrations", ours.keys() - theirs.keys()),
        ("preflight.image-has-other-migrations", theirs.keys() - ours.keys()),
        (
            "preflight.image-has-edited-migrations",
            {path for path in ours.keys() & theirs.keys() if ours[path] != theirs[path]},
        ),
    ):
        if differing:
            reason = wording.Text(text_id, facts | {"files": listed(differing)})
            return verdicts.Verdict(reasons=(reason,))
    return verdicts.passed("gate.migrations-in-image", **facts, files=str(len(ours)))


def _in_commit(source: deployments.Source, proof: plans.Prove) -> dict[str, str]:
    """File name → digest of the migrations of a database in the commit."""
    contents = {path.rpartition("/")[2]: source.revision.read(path) or b"" for path in proof.files}
    return {
        name: f"sha256:{hashlib.sha256(content).hexdigest()}"
        for name, content in contents.items()
        if _is_sql(name)
    }


def _is_sql(name: str) -> bool:
    """Whether a file is a migration that an image must have as it is; one in Go is compiled into its program."""
    return goose_files.version_of(name) is not None and not goose_files.is_go(name)


async def _in_image(name: str, digest: str, folder: str, registries: sources.Sources) -> _Names:
    """File name → digest of the files in a folder of an image; None where it has none for us.

    Raises:
        hanbae.errors.Error: They cannot be read.
    """
    cache = keeping.opened()
    key = keeping.key("image-files-1", digest, folder)
    if cache is not None and (stored := cache.get(key)) is not None:
        try:
            return foreign_json.decode(stored, dict[str, str])
        # What was kept and cannot be read is read from the image again.
        except foreign_json.Fault:
            pass
    reference = references.parse(name)
    answer = await registries.migrations_in(reference, folder, within=READS_WITHIN)
    if answer is None or answer.digests is None:
        return None
    names = dict(answer.digests)
    if cache is not None:
        cache.put(key, msgspec.json.encode(names))
    return names


def folder_of(container: Mapping[str, Any]) -> str:
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


def listed(names: Iterable[str]) -> str:
    """The first names in their order; the others are counted."""
    listed = sorted(names)
    more = len(listed) - _MOST_NAMES
    return ", ".join(listed[:_MOST_NAMES]) + (f" … (+{more})" if more > 0 else "")
