"""``hanbae generate runner``: the sources of hanbae-migrate in the repository, of which Dockerfiles build it."""

from __future__ import annotations

from pathlib import Path

from hanbae import errors
from hanbae.migrations import runner_sources
from hanbae.policy import loading, naming
from hanbae.repository import services, writing_files
from hanbae.results import files


def generate_runner(directory: Path, *, check: bool = False) -> tuple[files.FileChange, ...]:
    """Write the folder; nobody edits it, and what an earlier hanbae wrote into it beside goes.

    Args:
        directory: The repository or a folder in it.
        check: Touch nothing, and call ``stale`` what is not fresh.

    Raises:
        errors.WrongUse: No policy here, or one that names no such runner.
        errors.FileFault: The policy has a fault.
    """
    loaded = services.opened(directory)
    if loaded.policy.migrations.runner != naming.RUNNER:
        raise errors.WrongUse("generate.no-runner", runner=naming.RUNNER)
    return written(loaded, check=check)


def written(loaded: loading.Loaded, *, check: bool = False) -> tuple[files.FileChange, ...]:
    """Write the folder for a policy that was read; nothing where it names no such runner."""
    if loaded.policy.migrations.runner != naming.RUNNER:
        return ()
    texts = runner_sources.files()
    changes = writing_files.place(loaded.root, texts, overwrite=True, check=check)
    present = (loaded.root / naming.RUNNER_SOURCES).glob("*.go")
    earlier = {path.relative_to(loaded.root).as_posix() for path in present} - texts.keys()
    return changes + tuple(
        writing_files.remove(loaded.root, path, check=check) for path in sorted(earlier)
    )
