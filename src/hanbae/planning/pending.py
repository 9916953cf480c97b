"""Which migrations a branch has that a commit which was deployed has not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from hanbae import errors
from hanbae.migrations import goose_files
from hanbae.policy import documents, naming
from hanbae.repository import checkouts, revisions


class Commits:
    """The commits of a clone, each resolved once; those that it does not have are none.

    Args:
        checkout: The clone.
        policy: The policy.
    """

    def __init__(self, checkout: checkouts.Checkout, policy: documents.Policy) -> None:
        self._checkout = checkout
        self._policy = policy
        self._resolved: dict[str, revisions.Revision | None] = {}
        self._listed: dict[tuple[str, str], Mapping[str, str] | None] = {}

    def migrations(self, service: str, deployed: str, head: str) -> tuple[str, ...]:
        """Names of the migrations below a service's folder that the head has and the deployed commit has not.

        Args:
            service: The service.
            deployed: Full id of the commit that was deployed.
            head: Full id of the head of the branch.

        Returns:
            Them in order; none where the clone does not have both commits.
        """
        if not deployed or not head or deployed == head:
            return ()
        folder = str(naming.migrations_folder(self._policy, service))
        before, after = self._files(deployed, folder), self._files(head, folder)
        if before is None or after is None:
            return ()
        names = {path: PurePosixPath(path).name for path in after.keys() - before.keys()}
        return tuple(
            name for _, name in sorted(names.items()) if goose_files.version_of(name) is not None
        )

    def same(self, service: str, first: str, second: str) -> bool:
        """Whether the folder of a service is the same in two commits; not where the clone does not have both."""
        folder = str(naming.folder(self._policy, service))
        former, later = self._files(first, folder), self._files(second, folder)
        return former is not None and former == later

    def _files(self, commit: str, folder: str) -> Mapping[str, str] | None:
        """The files below a folder of a commit, read once; None where it cannot be read here."""
        key = (commit, folder)
        if key not in self._listed:
            self._listed[key] = self._read(commit, folder)
        return self._listed[key]

    def _read(self, commit: str, folder: str) -> Mapping[str, str] | None:
        if commit not in self._resolved:
            try:
                self._resolved[commit] = self._checkout.revision(commit)
            except errors.Error:
                self._resolved[commit] = None
        revision = self._resolved[commit]
        try:
            return revision.files(folder) if revision is not None else None
        except errors.Error:
            return None
