"""``hanbae generate compose``: the local environment as a Compose file, and how such a file compares with charts."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hanbae import errors, files, wording
from hanbae.local import compose_file, docker, local_environment, parity
from hanbae.policy import boundaries
from hanbae.repository import writing_files
from hanbae.results import compositions
from hanbae.results.files import FileChange
from hanbae.sealing import envfiles

NAMES: Final = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
"""What Compose calls its file, in the order in which it looks."""
OVERRIDES: Final = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
"""What Compose lays over its file, likewise: its two lists do not begin with the same spelling."""
_HEAD: Final = 400
_LARGEST: Final = 1024 * 1024


async def generate_compose(
    directory: Path, *, check: bool = False
) -> tuple[tuple[FileChange, ...], local_environment.Local]:
    """Write ``compose.yaml``; a file that somebody wrote by hand is left alone, and so is the override.

    Args:
        directory: The repository or a folder in it.
        check: Touch nothing, and call ``stale`` what is not fresh.

    Returns:
        What became of the file, and the local environment that it is of.

    Raises:
        hanbae.errors.WrongUse: No policy, or no environment on Kubernetes.
        hanbae.errors.FileFault: The policy has a fault, or a chart does not render.
    """
    local = await local_environment.read(directory)
    return (placed(local, check=check),), local


def placed(local: local_environment.Local, *, check: bool = False) -> FileChange:
    """Write the file of a local environment that was read."""
    root = local.loaded.root
    text = compose_file.text(local.composition, local.loaded.policy.language)
    foreign = foreign_file(root)
    if foreign:
        present = writing_files.read(root, foreign) or ""
        diff = files.diff(foreign, present, text)
        reason = wording.Text("local.foreign", {"path": foreign})
        return FileChange(foreign, "kept", diff, (reason,))
    (change,) = writing_files.place(root, {compose_file.NAME: text}, overwrite=True, check=check)
    return change


def foreign_file(root: Path) -> str:
    """The Compose file that somebody wrote by hand, which Compose would take instead of ours; empty for none."""
    for name in NAMES:
        text = writing_files.read(root, name)
        # The mark is in the comment at the file's top; further down it may be a word of somebody's
        # own file.
        if text is not None and compose_file.MARK not in text[:_HEAD]:
            return name
        if text is not None:
            return ""
    return ""


def present_files(root: Path) -> tuple[str, ...]:
    """The Compose files that count: the first that is there, and its override."""
    main = next((name for name in NAMES if (root / name).is_file()), "")
    override = next((name for name in OVERRIDES if (root / name).is_file()), "")
    return tuple(name for name in (main, override) if name)


async def check_parity(directory: Path) -> compositions.Parity:
    """Compare the Compose file, with its override, with what the charts ask for.

    Raises:
        hanbae.errors.WrongUse: No policy, no environment on Kubernetes, or no Compose file.
        hanbae.errors.FileFault: The policy or the Compose file has a fault, or a chart does not render.
    """
    return compare(await local_environment.read(directory))


def compare(local: local_environment.Local) -> compositions.Parity:
    """The comparison, for a local environment that was read already."""
    root = local.loaded.root
    names = present_files(root)
    if not names:
        raise errors.WrongUse("local.no-file")
    unread = ""
    if len(names) > 1:
        # Only Compose knows how it merges an override; without it the first file is compared alone,
        # and that is said.
        merged = docker.merged(root, names)
        if merged is None:
            unread = names[1]
            document = docker.read(root, names[0])
            names = names[:1]
        else:
            document = merged
    else:
        document = docker.read(root, names[0])
    return parity.of(
        local.composition,
        document,
        names,
        names_in=lambda path: _names_in(root, path),
        unread=unread,
    )


def _names_in(root: Path, path: str) -> frozenset[str] | None:
    """The names of the variables in a file of the repository; None where there is none that can be read."""
    target = boundaries.inside(root.resolve(), root / path)
    if target is None:
        return None
    try:
        data = files.ordinary(target, most=_LARGEST)
    except OSError:
        return None
    if data is None:
        return None
    try:
        return frozenset(envfiles.parse(data, path))
    except errors.FileFault:
        return None
