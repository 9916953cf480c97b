"""Which services a revision has, by the policy's glob over chart folders."""

from __future__ import annotations

from collections.abc import Iterable

from hanbae import errors
from hanbae.policy import documents, naming
from hanbae.repository import revisions


def found(policy: documents.Policy, revision: revisions.Revision) -> tuple[str, ...]:
    """The services of a revision, by name: folders in the place of the glob's ``*`` that have a chart."""
    folder = policy.services.path.partition("*")[0].rstrip("/")
    return tuple(
        name
        for name in revision.folder(folder)
        if revision.read(f"{naming.chart(policy, name)}/Chart.yaml") is not None
    )


def chosen(
    policy: documents.Policy,
    revision: revisions.Revision,
    wanted: Iterable[str],
    *,
    branch: str,
) -> tuple[str, ...]:
    """The services that are asked for, in that order and each once; all of the revision when none is.

    Raises:
        hanbae.errors.WrongUse: The revision has no such service, or none at all.
    """
    known = found(policy, revision)
    names = tuple(dict.fromkeys(wanted)) or known
    listed = ", ".join(known) or "-"
    for name in names:
        if name not in known:
            raise errors.WrongUse("plan.unknown-service", service=name, branch=branch, known=listed)
    if not names:
        raise errors.WrongUse("plan.no-services", branch=branch, path=policy.services.path)
    return names
