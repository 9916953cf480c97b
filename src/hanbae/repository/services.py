"""Which services a repository has, and which of them a command line names.

The answer is the same for the working tree and for a commit, because it is asked of a
:class:`~hanbae.repository.trees.Tree`: a service is what has a chart where the policy says that charts are, by the
files that git has or would take.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from hanbae import errors, subjects
from hanbae.policy import boundaries, documents, loading, naming
from hanbae.repository import trees


def of(policy: documents.Policy, tree: trees.Tree) -> tuple[str, ...]:
    """The services that a tree has, sorted: folders in the place of the policy's ``*`` that hold a chart."""
    before, _, after = policy.services.path.partition("*")
    end = f"{after}/Chart.yaml"
    names = set()
    for path, content in tree.files(before.rstrip("/")).items():
        if not path.startswith(before):
            continue
        name, slash, rest = path[len(before) :].partition("/")
        inside = f"/{rest}" if slash else ""
        # What stands where a chart should and is none is reported by what cannot be read of it.
        folder = inside.startswith(f"{end}/")
        submodule = content.startswith(trees.SUBMODULE) and end.startswith(f"{inside}/")
        if inside == end or folder or submodule:
            names.add(name)
    return tuple(sorted(name for name in names if name))


def of_checkout(loaded: loading.Loaded) -> tuple[str, ...]:
    """The services of the working tree in which a policy was found."""
    return of(loaded.policy, trees.WorkingTree(loaded.root))


def require(names: Iterable[str], services: Collection[str], *, source: str) -> None:
    """Refuse services that a repository does not have.

    Args:
        names: What a command line names.
        services: Those that there are.
        source: Where they were looked for, as git writes it: ``services/*/helm``, ``develop:services/*/helm``.

    Raises:
        errors.WrongUse: The first that is not there; the facts hold those that are.
    """
    for name in names:
        if name not in services:
            listed = ", ".join(services) or "-"
            raise errors.WrongUse("services.unknown", service=name, source=source, known=listed)


def source(policy: documents.Policy, *revisions: str) -> str:
    """Where services are looked for, for messages: in the working tree, or in some commits."""
    if not revisions:
        return policy.services.path
    return ", ".join(f"{revision}:{policy.services.path}" for revision in dict.fromkeys(revisions))


def check(loaded: loading.Loaded, *names: str) -> tuple[str, ...]:
    """The services of the working tree, once those that a command line names are known to be among them.

    Raises:
        errors.WrongUse: One of them is not there.
    """
    services = of_checkout(loaded)
    require(names, services, source=source(loaded.policy))
    return services


def chosen(
    policy: documents.Policy, tree: trees.Tree, names: Iterable[str], *, branch: str
) -> tuple[str, ...]:
    """The services of a branch that a command line names, in its order and each once; all of them when it names none.

    Raises:
        errors.WrongUse: The branch has no such service, or none at all.
    """
    services = of(policy, tree)
    picked = tuple(dict.fromkeys(names)) or services
    require(picked, services, source=source(policy, branch))
    if not picked:
        raise errors.WrongUse("plan.no-services", branch=branch, path=policy.services.path)
    return picked


def values_file(loaded: loading.Loaded, service: str, environment: str) -> tuple[Path, str]:
    """The values file of a service in an environment: its path, and how it is called in messages.

    Raises:
        errors.FileFault: A symlink on the way leads out of the repository.
    """
    relative = naming.values_file(loaded.policy, service, environment)
    path = loaded.root / relative
    if boundaries.inside(loaded.root, path) is None:
        raise errors.FileFault("placing.outside", place=subjects.Place(str(relative)))
    return path, str(relative)
