"""Makes a repository one that hanbae manages: the policy file, and what belongs on the workload clusters.

The policy is the source: where ``hanbae.yaml`` exists, it is read and never written, and the rest follows from it.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hanbae import errors, loops
from hanbae.actions import adopt, generate_admission, generate_argocd, generate_namespaces
from hanbae.charts import cluster_files, founding, overlay_files
from hanbae.masking import shapes
from hanbae.policy import loading
from hanbae.repository import writing_files
from hanbae.results import files
from hanbae.streams import locales


def init(
    root: Path,
    *,
    repository: str | None = None,
    language: str | None = None,
    one_cluster: bool = False,
    force: bool = False,
) -> tuple[files.FileChange, ...]:
    """Write ``hanbae.yaml``, a line of ``.gitignore`` and the ``k8s`` tree.

    In a repository with charts, overlays or Applications that hanbae did not lay, only ``hanbae.yaml`` is written, as
    the repository suggests it.

    Args:
        root: The repository's top folder.
        repository: URL of the repository as Argo CD fetches it; by default that of the git remote ``origin``.
        language: ``en`` or ``ko``, for the policy and for comments; default ``en``.
        one_cluster: Whether all environments share a cluster; the new policy then has namespace suffixes.
        force: Whether edited files of the ``k8s`` tree are overwritten; ``hanbae.yaml`` never is.

    Returns:
        What became of each file. ``kept`` ones differ from what hanbae would write; where hanbae.yaml was there, with
        what in them contradicts it, and ``stale`` ones are those that another command writes.

    Raises:
        errors.WrongUse: The repository's URL is neither given nor known to git.
        errors.FileFault: ``hanbae.yaml`` is there and is not a policy, or says otherwise than an option.
    """
    path = root / loading.NAME
    if path.exists():
        loaded = loading.load(path)
        _refuse_other(loaded, repository, language, one_cluster=one_cluster)
        ignored = writing_files.append_line(root, ".gitignore", founding.ignored(loaded.policy))
        present = files.FileChange(loading.NAME, "unchanged")
        return (present, ignored, *_again(loaded, force=force), *_generated(loaded))
    looked = adopt.look(root, origin=remote_url(root))
    if looked is not None:
        looked = loops.run(adopt.completed(root, looked))
        decided = adopt.Decided(repository, one_cluster=one_cluster)
        proposed = adopt.settled(looked.proposal, decided)
        return adopt.write(root, proposed, language or "en")
    changes = _policy(root, repository, language, one_cluster=one_cluster)
    policy = loading.load(path).policy
    changes += (writing_files.append_line(root, ".gitignore", founding.ignored(policy)),)
    return changes + writing_files.place(root, founding.cluster_files(policy), overwrite=force)


def _policy(
    root: Path, repository: str | None, language: str | None, *, one_cluster: bool
) -> tuple[files.FileChange, ...]:
    url = repository or remote_url(root)
    if not url:
        raise errors.WrongUse("init.repository-needed")
    if shapes.in_url(url):
        raise errors.WrongUse("init.password-in-url")
    text = founding.policy_file(url, language=language or "en", one_cluster=one_cluster)
    loading.parse(
        text.encode(), loading.NAME
    )  # a URL that breaks the policy is refused before it is written
    return writing_files.place(root, {loading.NAME: text})


def _refuse_other(
    loaded: loading.Loaded, repository: str | None, language: str | None, *, one_cluster: bool
) -> None:
    """Refuse options that would make another policy than the one that is there, which is never changed."""
    policy = loaded.policy
    if repository is not None and repository != policy.argocd.repository:
        raise _other(loaded, "--repository", "argocd.repository", policy.argocd.repository)
    if language is not None and language != policy.language:
        raise _other(loaded, "--language", "language", policy.language)
    suffixes = [settings.namespace_suffix for settings in policy.environments.values()]
    if one_cluster and not any(suffixes):
        raise errors.FileFault("init.policy-has-clusters", place=loaded.place("environments"))


def _other(loaded: loading.Loaded, option: str, key: str, value: str) -> errors.FileFault:
    return errors.FileFault(
        "init.policy-is-there", place=loaded.place(key), option=option, key=key, value=value
    )


def _again(loaded: loading.Loaded, *, force: bool) -> Iterator[files.FileChange]:
    """What is missing is written; of what is there and differs, what in it contradicts the policy."""
    texts = generate_namespaces.present(loaded.root, loaded.policy)
    updates = {update.path: update for update in cluster_files.updates(loaded.policy, texts)}
    for usual, text in founding.cluster_files(loaded.policy).items():
        path = usual
        if overlay_files.is_kustomization(usual):
            path = overlay_files.path(usual.rpartition("/")[0], texts)
        update = updates.pop(path, None)
        if path not in texts and update is None:
            continue  # the team has put something else in its place
        (change,) = writing_files.place(loaded.root, {path: text}, overwrite=force)
        if change.outcome == "kept" and update is not None:
            why = generate_namespaces.reasons(update)
            change = msgspec.structs.replace(change, reasons=why)
        yield change
    for path, update in updates.items():
        yield files.FileChange(path, "kept", reasons=generate_namespaces.reasons(update))


def _generated(loaded: loading.Loaded) -> Iterator[files.FileChange]:
    """Generated files that are not what the policy asks for, where any were generated."""
    for folder, generate in (
        (generate_argocd.FOLDER, generate_argocd.generate_argocd),
        (generate_admission.FOLDER, generate_admission.generate_admission),
    ):
        if (loaded.root / folder).is_dir():
            changes = generate(loaded.root, check=True)
            yield from (change for change in changes if change.outcome == "stale")


def remote_url(root: Path) -> str:
    """The URL of the remote ``origin``, as it was configured, without a password; empty where there is none."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(root), "config", "--get", "remote.origin.url"],
            env={**os.environ, **locales.ENGLISH},
            capture_output=True,
            check=False,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    url = answer.stdout.decode(errors="replace").strip()
    # A token in the remote's URL is this machine's affair; Argo CD has credentials of its own.
    return re.sub(r"^(https?://)[^/@]*@", r"\1", url)
