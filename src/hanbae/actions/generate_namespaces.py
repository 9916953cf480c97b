"""Brings ``k8s/base`` and the overlays in line with the policy, and leaves what the policy does not decide.

These files are laid once and edited by the team, so they are changed line by line instead of being written anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from hanbae import files, wording
from hanbae.charts import cluster_files, founding, overlay_files
from hanbae.policy import documents, environments
from hanbae.repository import services, writing_files
from hanbae.results.files import FileChange
from hanbae.rules import rulebook
from hanbae.rules.kustomize import laid


def generate_namespaces(
    directory: Path, *, environments: Collection[str] = (), check: bool = False
) -> tuple[FileChange, ...]:
    """Write the namespaces, the limits of those with services, and the overlay of each environment that has one.

    Overlays of environments that are no longer in the policy are deleted where they hold nothing but what hanbae
    wrote; else they are ``kept``.

    Args:
        directory: The repository or a folder in it.
        environments: Only the overlays of these; all by default.
        check: Touch nothing, and call ``stale`` what is not what the policy asks for.

    Returns:
        What became of each file, with the reasons for which it is not what the policy asks for.

    Raises:
        errors.WrongUse: An environment that the policy does not have, or that is not on Kubernetes.
        errors.FileFault: The policy has a fault; a file is no YAML, or cannot be changed line by line.
    """
    loaded = services.opened(directory)
    folders = _folders(loaded.policy, environments)
    texts = present(loaded.root, loaded.policy)
    updates = {update.path: update for update in cluster_files.updates(loaded.policy, texts)}
    changes = []
    for path in _paths(loaded.policy, texts, updates):
        folder = path.rpartition("/")[0]
        # The base belongs to all environments, so it is looked at whichever are named.
        if environments and folder != founding.BASE and folder not in folders:
            continue
        update = updates.get(path)
        if update is None:
            changes.append(FileChange(path, "unchanged"))
        else:
            changes.append(_changed(loaded.root, update, texts.get(path), check=check))
    return tuple(changes)


def present(root: Path, policy: documents.Policy) -> dict[str, str]:
    """The files that may have been laid: path → text.

    Raises:
        hanbae.errors.FileFault: One of them is no text, or leads out of the repository.
    """
    texts = {}
    for folder in cluster_files.folders(policy):
        for file in sorted((root / folder).rglob("*")):
            path = file.relative_to(root).as_posix()
            if cluster_files.is_one(path) and not file.is_dir():
                text = writing_files.read(root, path)
                if text is not None:
                    texts[path] = text
    return texts


def reasons(update: cluster_files.Update) -> tuple[wording.Text, ...]:
    """Why a file is not what the policy asks for, in the sentences of the rule that finds it."""
    rule = rulebook.rules()[laid.CODE]
    return tuple(rule.text(f"found-{reason.variant}", reason.facts) for reason in update.reasons)


def _folders(policy: documents.Policy, names: Collection[str]) -> set[str]:
    for name in names:
        environments.require(name, policy)
    by_name = overlay_files.of_policy(policy)
    return {by_name[name] for name in names if name in by_name}


def _paths(
    policy: documents.Policy,
    texts: dict[str, str],
    updates: dict[str, cluster_files.Update],
) -> Iterator[str]:
    """Every file that is looked at, once: those that the policy asks for, then those that are left over."""
    bases = [overlay_files.path(founding.BASE, texts), founding.NAMESPACES, founding.LIMITS]
    overlays = overlay_files.of_policy(policy).values()
    named = [*bases, *(overlay_files.path(folder, texts) for folder in overlays)]
    yield from dict.fromkeys(
        path for path in (*named, *updates) if path in texts or path in updates
    )


def _changed(
    root: Path, update: cluster_files.Update, text: str | None, *, check: bool
) -> FileChange:
    why = reasons(update)
    diff = "" if text is None else files.diff(update.path, text, update.text or "")
    if update.edited:
        return FileChange(update.path, "kept", diff, why)
    if check:
        return FileChange(update.path, "stale", diff, why)
    if update.text is None:
        writing_files.remove(root, update.path)
        return FileChange(update.path, "deleted", diff, why)
    (change,) = writing_files.place(root, {update.path: update.text}, overwrite=True)
    return FileChange(update.path, change.outcome, diff, why)
