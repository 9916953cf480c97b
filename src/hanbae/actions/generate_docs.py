"""Writes the policy as documents: in both languages, and the terse reference that the policy document names."""

from __future__ import annotations

from pathlib import Path

from hanbae.charts import pools
from hanbae.checking import projects
from hanbae.handbook import facts, writing
from hanbae.repository import services, writing_files
from hanbae.results.files import FileChange
from hanbae.rules import documented, views


async def generate_docs(directory: Path, *, check: bool = False) -> tuple[FileChange, ...]:
    """Write the documents, from the policy and from what every service renders.

    Args:
        directory: The repository or a folder in it.
        check: Touch nothing, and call ``stale`` what is not fresh.

    Returns:
        What became of each; ``kept`` for one that is there and that hanbae did not write.

    Raises:
        hanbae.errors.WrongUse: No policy.
        hanbae.errors.FileFault: The policy has a fault, a service does not render, or a file cannot be written.
    """
    root = services.opened(directory).root
    project = projects.project(directory)
    async with pools.opened() as pool:
        described = [
            await _described(pool, project, name)
            for name in sorted({*project.services, *project.chartless})
        ]
    changes = []
    for path, text in writing.written(project.policy, described).items():
        present = writing_files.read(root, path)
        is_foreign = present is not None and not writing.is_own(present)
        (change,) = writing_files.place(
            root, {path: text}, overwrite=not is_foreign, check=check and not is_foreign
        )
        changes.append(change)
    return tuple(changes)


async def _described(pool: pools.Pool, project: views.Project, name: str) -> facts.Service:
    rendered = await projects.service(pool, project, name)
    if rendered.faults:
        raise rendered.faults[0][1]
    if rendered.missing is not None:
        raise rendered.missing
    return documented.service(rendered.service, documented.deployed(rendered.service) or {})
