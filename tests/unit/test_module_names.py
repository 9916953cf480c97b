"""Two modules of one name in the house need a reason, or whoever imports both has to tell them apart with ``as``."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

import hanbae

SOURCE = Path(hanbae.__file__).parent

BY_SUBJECT = frozenset({"cli", "rules", "diagnosing"})
"""Packages whose modules are named by what they are about, which is another module's subject as well.

A module of `cli` is called as the command is, or as what it prints; one of `rules` and of `diagnosing` as the kind of
object or file that it judges or explains.
"""

REASONS = {
    "addresses": "Each package's own: of local databases, of receivers, of foreign hosts; nobody imports two.",
    "answers": "What each of the two APIs answers, as errors; in `charts`, what somebody answered when scaffolding.",
    "application_sets": "One kind of Argo CD's: surveyed, evaluated from the files, asked to look again by the engine.",
    "authorizing": "RBAC in a cluster; HTTP's authorization at a registry.",
    "certificates": "Of the sandbox's own authority; of the Sealed Secrets controller.",
    "choosing": "Who chooses among implementations of its package: the version of a chart; the forge.",
    "components": "The servers of the local environment; the processes of a sandbox.",
    "connections": "The one place through which every request goes: to an API server, to Argo CD, to a forge.",
    "contents": "The files of an image; the files of a promotion's commit.",
    "credentials": "Who we are: to an API server; to a registry.",
    "deployments": "The plan of one; the record of one.",
    "drifts": "What a database shows of its own; what somebody changed in a cluster, as others read it.",
    "effects": "How they are found in a migration's statements; their types, as others read them.",
    "engine": "Implementations of `engines.protocol`.",
    "environments": "Those of the policy; the words by which a survey knows them in a repository without one.",
    "files": "How one is replaced, for the whole house; what became of those that hanbae writes.",
    "folders": "Paths in the repository, for the whole house; where a sandbox keeps its own.",
    "gateways": "What the policy says of them; the objects that are made of that.",
    "gathering": "The files of a chart, as Helm's loader gathers them; the results of several tasks.",
    "goose": "The command line, as a container calls it; the program, as a rehearsal runs it.",
    "images": "Those that a release pulls; which one a service runs, as others read it.",
    "init": "The command `hanbae init`; process 1 of a sandbox, which Unix calls so.",
    "layouts": "Folders of charts, drawn; OCI's image layout, which is called so there.",
    "merging": "Texts, in three ways; streams, into one.",
    "migration_plans": "How one is made; its types, as others read them.",
    "needs": "What a PreSync hook needs before it; what the pods of a release need.",
    "objects": "Of a release, rendered; the ones around sealed values.",
    "overlays": "How one is applied; what became of it, as others read it.",
    "permitting": "Whether a deployment may begin; whether a promotion may.",
    "pins": "The versions that a sandbox is made of; the certificate that each value was sealed with.",
    "protocol": "The seam of its package: of engines, of forges, of histories.",
    "reading": "The counterpart of `clusters.writing`; the way from rendered objects to a release.",
    "rights": "What the deployer's permissions depend on; the rendering of a service for it.",
    "schemas": "Of Kubernetes' kinds, of the policy, of a database: each called so by its own standard.",
    "secrets": "The values of a running service, to mask them; what is known of sealed ones, as others read it.",
    "servers": "PostgreSQL servers: the address of a history's; the databases of a rehearsal's.",
    "services": "Of the repository, for the whole house; what Apprise calls services; what stands beside a sandbox.",
    "standing": "Where services stand: with Argo CD; with Helm. Two answers to one question.",
    "statuses": "What goose's `status` says; what the components of a sandbox are doing.",
    "transports": "HTTP clients' transports; the two ways of the engine to an Application.",
    "variables": "Of goose's `ENVSUB`; of a container.",
    "versions": "Of a service, by its tags; of the controller, by its image.",
    "watching": "Objects of a cluster; the processes that drive deployments.",
    "workloads": "How they are watched; what is said of them, as others read it.",
    "writing": "How a package writes: YAML, a cluster, the documents of a repository.",
}
"""Name → why more than one module has it."""


def rooms() -> dict[str, set[str]]:
    """Name → the packages that have a module of it, without those that are named by their subject."""
    rooms: dict[str, set[str]] = defaultdict(set)
    for path in SOURCE.rglob("*.py"):
        package = path.parent.relative_to(SOURCE)
        if not path.stem.startswith("__") and not BY_SUBJECT & set(package.parts[:1]):
            rooms[path.stem].add(package.as_posix())
    return rooms


def test_two_modules_of_one_name_have_a_reason() -> None:
    shared = {name for name, packages in rooms().items() if len(packages) > 1}
    assert shared == REASONS.keys()


@pytest.mark.parametrize("package", sorted(BY_SUBJECT))
def test_packages_named_by_subject_are_there(package: str) -> None:
    assert (SOURCE / package).is_dir()
