"""What the history knows of a migration that was changed after it was on an environment's branch.

goose never runs a file again that it has applied, so changing such a one is refused (MIG012).
A file that only ever failed has to be changed, for goose tries it again: where the history says that the last
deployment did not get past it, in no environment, the finding is a notice that says so.
Where nothing is recorded, or a database may have been migrated since, it stays an error.
What other machines have deployed is not in this one's history; where clusters are looked at, their Leases say it.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from hanbae import errors, wording
from hanbae.history import locations
from hanbae.migrations import goose_files
from hanbae.repository import checkouts
from hanbae.results import claims, deployments, findings, plans
from hanbae.rules import views

if TYPE_CHECKING:
    from hanbae.history import stores

CODE: Final = "MIG012"
_MOST: Final = 1000
"""Deployments of a service that are looked at, the newest first."""


class _Record(Struct, frozen=True):
    """A deployment, and what its plan says of one database.

    Attributes:
        deployment: The deployment.
        proof: The plan's step for the database.
        migration: Where the database stood afterwards; None where that was not recorded.
    """

    deployment: deployments.Deployment
    proof: plans.Prove
    migration: deployments.Migration | None


def judged(
    project: views.Project,
    root: Path,
    collected: Iterable[findings.Finding],
    claimed: Iterable[claims.Claim] = (),
) -> tuple[findings.Finding, ...]:
    """The findings of a check, those of changed migrations by what is known of them.

    Args:
        project: The repository.
        root: The policy's folder; a history in it is what a branch says, and is not believed.
        collected: What was found, not merged yet: each of these in one environment.
        claimed: The last deployments of these services, where clusters were looked at.
    """
    unjudged = tuple(collected)
    if not concerned(unjudged):
        return unjudged
    with contextlib.ExitStack() as stack:
        try:
            checkout = checkouts.Checkout.open(root)
        except errors.Error:
            return unjudged
        store = None
        with contextlib.suppress(errors.Error):  # a history that cannot be read says nothing
            store = _store(project, root)
            if store is not None:
                stack.enter_context(store)
        judge = _Judge(project, checkout, store, tuple(claimed))
        return tuple(
            judge.judged(finding) if finding.code == CODE else finding for finding in unjudged
        )


def concerned(collected: Iterable[findings.Finding]) -> tuple[str, ...]:
    """The services that have a changed migration."""
    return tuple(dict.fromkeys(finding.service for finding in collected if finding.code == CODE))


def _store(project: views.Project, root: Path) -> stores.Store | None:
    """The history, where there is one; none is made."""
    place = project.place("history.url")
    url = locations.trusted(project.policy.history.url, root, os.environ, place)
    location = locations.resolve(url, os.environ)
    if not isinstance(location, locations.File):
        return None  # a check opens no connection
    path = location.path
    if path.resolve().is_relative_to(root.resolve()) or not path.is_file():
        return None
    from hanbae.history import stores  # only who has a history waits for SQLite

    return stores.open_store(url)


class _Judge:
    """Judges changed migrations by what is recorded."""

    def __init__(
        self,
        project: views.Project,
        checkout: checkouts.Checkout,
        store: stores.Store | None,
        claimed: tuple[claims.Claim, ...],
    ) -> None:
        self._project = project
        self._checkout = checkout
        self._store = store
        self._claimed = claimed

    def judged(self, finding: findings.Finding) -> findings.Finding:
        """One finding; as it was where nothing is known, or what is recorded cannot be read."""
        try:
            return self._judged(finding)
        except errors.Error:
            return finding

    def _judged(self, finding: findings.Finding) -> findings.Finding:
        facts = finding.text.facts
        version = int(facts["version"])
        folder = posixpath.dirname(finding.place.file)
        identity = self._project.tree.files(folder).get(finding.place.file)
        # A Lease is asked before this machine's history: it is every machine's word of the last
        # deployment.
        own = [claim for claim in self._claimed if claim.service == finding.service]
        for claim in own:
            then = self._content(claim.revision, folder, version)
            if claim.has_migrated and then is not None and then != identity:
                return _deployed(finding, claim)
        records = list(_records(self._store, finding.service, folder)) if self._store else []
        for record in records:
            # An environment that has what is here is no reason to take it back.
            if _has_applied(record, version) and identity != self._content(
                record.deployment.revision, folder, version
            ):
                return _applied(finding, record)
        (environment,) = finding.environments
        # Only the last deployment tells how the database was left. What failed earlier may have
        # been applied by one that recorded nothing.
        newest = next(
            (record for record in records if record.deployment.environment == environment), None
        )
        if newest is None or newest.migration is None or not _has_failed_before(newest, version):
            return finding
        if any(_is_later(claim, newest) for claim in own):
            return finding
        # What failed is what the branch still has; another content may have been deployed since.
        path = f"{folder}/{facts['other']}"
        then = self._checkout.revision(newest.deployment.revision).files(folder).get(path)
        if then is None or then != self._project.branches[environment].files(folder).get(path):
            return finding
        return _failed(finding, newest, newest.migration)

    def _content(self, commit: str, folder: str, version: int) -> str | None:
        """An id of what a commit has as a version; None where it has none, or is not in this clone."""
        try:
            identities = self._checkout.revision(commit).files(folder)
        except (errors.Error, KeyError):
            return None
        same = (
            content
            for path, content in identities.items()
            # goose reads a folder and nothing below it.
            if posixpath.dirname(path) == folder
            and goose_files.version_of(posixpath.basename(path)) == version
        )
        return next(same, None)


def _is_later(claim: claims.Claim, newest: _Record) -> bool:
    """Whether somebody has deployed to the environment after what this machine has recorded last."""
    deployment = newest.deployment
    return (
        claim.environment == deployment.environment
        and claim.outcome != "refused"  # it has changed nothing
        and claim.deployment != deployment.id
    )


def _records(store: stores.Store, service: str, folder: str) -> Iterator[_Record]:
    """What is recorded of the databases that a folder's files are for, newest first, in every environment."""
    # An attempt that was refused has changed nothing, so it does not count as the last one.
    for deployment in store.deployments(service=service, limit=_MOST, refused=False):
        for step in store.plan(deployment.id).steps:
            proof = step.does
            if not isinstance(proof, plans.Prove):
                continue
            folders = {posixpath.dirname(file) for file in proof.files}
            if folders and folder not in folders:
                continue
            # An older hanbae recorded no files; what it proved may be of this folder.
            named = (m for m in deployment.migrations if m.database == proof.database)
            yield _Record(deployment, proof, next(named, None))


def _has_applied(record: _Record, version: int) -> bool:
    """Whether a database has a version: proven, or by the log of its migrations."""
    migration = record.migration
    if migration is None or version not in record.proof.versions:
        return False
    if version in migration.applied:
        return True
    # goose applies versions in ascending order.
    return migration.version is not None and version <= migration.version


def _has_failed_before(record: _Record, version: int) -> bool:
    """Whether a deployment ended before a version was applied, with nothing of it left in the database."""
    migration = record.migration
    if migration is None or migration.proven or version not in record.proof.versions:
        return False
    if not migration.failed:  # it was not this database at which the deployment ended
        return migration.version is not None and migration.version < version
    names = {record.proof.named(number): number for number in record.proof.versions}
    stopped = names.get(migration.failed)
    if stopped is None:
        return False
    # A file that fails in its transaction leaves nothing behind. One that runs outside of a
    # transaction may have run in part, and goose does not record which part.
    return stopped < version or (stopped == version and version not in record.proof.bare)


def _deployed(finding: findings.Finding, claim: claims.Claim) -> findings.Finding:
    facts = finding.text.facts | {
        "where": claim.environment,
        "deployment": claim.deployment,
        "revision": claim.revision[:12],
    }
    return msgspec.structs.replace(
        finding,
        text=wording.Text("rule.mig012-found-deployed", facts),
        fix=wording.Text("rule.mig012-fix-applied", facts),
    )


def _applied(finding: findings.Finding, record: _Record) -> findings.Finding:
    facts = finding.text.facts | _facts(record)
    return msgspec.structs.replace(
        finding,
        text=wording.Text("rule.mig012-found-applied", facts),
        fix=wording.Text("rule.mig012-fix-applied", facts),
    )


def _failed(
    finding: findings.Finding, record: _Record, migration: deployments.Migration
) -> findings.Finding:
    facts = finding.text.facts | _facts(record) | {"service": finding.service}
    if migration.failed:
        text = wording.Text("rule.mig012-found-failed", facts | {"stopped": migration.failed})
    else:
        text = wording.Text("rule.mig012-found-waiting", facts | {"at": str(migration.version)})
    return msgspec.structs.replace(
        finding,
        severity="notice",
        text=text,
        fix=wording.Text("rule.mig012-fix-failed", facts),
    )


def _facts(record: _Record) -> dict[str, str]:
    return {
        "database": record.proof.database,
        "deployment": record.deployment.id,
        "where": record.deployment.environment,
    }
