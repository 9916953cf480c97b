"""Makes a repository one that hanbae manages: the policy file, and what belongs on the workload clusters.

The policy is the source: where ``hanbae.yaml`` exists, it is read and never written, and the rest follows from it.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from hanbae import errors
from hanbae.charts import founding
from hanbae.masking import shapes
from hanbae.policy import loading
from hanbae.repository import writing_files
from hanbae.results import files


def init(
    root: Path,
    *,
    repository: str | None = None,
    language: str | None = None,
    one_cluster: bool = False,
    force: bool = False,
) -> tuple[files.FileChange, ...]:
    """Write ``hanbae.yaml``, a line of ``.gitignore`` and the ``k8s`` tree.

    Args:
        root: The repository's top folder.
        repository: URL of the repository as Argo CD fetches it; by default that of the git remote ``origin``.
        language: ``en`` or ``ko``, for the policy and for comments; default ``en``.
        one_cluster: Whether all environments share a cluster; the new policy then has namespace suffixes.
        force: Whether edited files of the ``k8s`` tree are overwritten; ``hanbae.yaml`` never is.

    Returns:
        What became of each file; ``kept`` ones differ from what hanbae would write.

    Raises:
        errors.WrongUse: The repository's URL is neither given nor known to git.
        errors.FileFault: ``hanbae.yaml`` is there and is not a policy.
    """
    path = root / loading.NAME
    changes = _policy(root, repository, language, one_cluster=one_cluster)
    policy = loading.load(path).policy
    changes += (writing_files.append_line(root, ".gitignore", founding.ignored(policy)),)
    return changes + writing_files.place(root, founding.cluster_files(policy), overwrite=force)


def _policy(
    root: Path, repository: str | None, language: str | None, *, one_cluster: bool
) -> tuple[files.FileChange, ...]:
    path = root / loading.NAME
    if path.exists():
        # What is not asked for is taken from the policy, so that the difference shows only what was.
        present = loading.load(path).policy
        repository = repository or present.argocd.repository
        language = language or present.language
        suffixes = (environment.namespace_suffix for environment in present.environments.values())
        one_cluster = one_cluster or any(suffixes)
    url = repository or _origin(root)
    if shapes.in_url(url):
        raise errors.WrongUse("init.password-in-url")
    text = founding.policy_file(url, language=language or "en", one_cluster=one_cluster)
    loading.parse(
        text.encode(), loading.NAME
    )  # a URL that breaks the policy is refused before it is written
    return writing_files.place(root, {loading.NAME: text})


def _origin(root: Path) -> str:
    """The URL of the remote ``origin``, as it was configured."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(root), "config", "--get", "remote.origin.url"],
            capture_output=True,
            check=False,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise errors.WrongUse("init.repository-needed") from error
    url = answer.stdout.decode(errors="replace").strip()
    if not url:
        raise errors.WrongUse("init.repository-needed")
    # A token in the remote's URL is this machine's affair; Argo CD has credentials of its own.
    return re.sub(r"^(https?://)[^/@]*@", r"\1", url)
