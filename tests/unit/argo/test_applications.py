"""What automation makes of a pushed revision: decided from the object alone, never from time."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.support import applications as samples

from hanbae import subjects
from hanbae.argo import applications, operations

HOOK = subjects.Ref("Job", "services-dev", "auth-service-migrate")
RAN = samples.result(HOOK.kind, HOOK.name, hook="Sync")
FAILED = samples.state("Failed", message="one or more synchronization tasks failed")


def awaiting(application: dict[str, Any], previous: str = "") -> tuple[str, str]:
    wait = applications.awaiting(
        application, revision=samples.REVISION, hooks=[HOOK], former=previous
    )
    return wait.does, wait.why.id


@pytest.mark.parametrize(
    ("application", "does", "why"),
    [
        pytest.param(
            samples.application(state=samples.state("Running"), sync="OutOfSync"),
            "follow",
            "argo.automation-runs",
            id="automation runs",
        ),
        pytest.param(
            samples.application(operation=samples.operation(), sync="OutOfSync"),
            "follow",
            "argo.automation-runs",
            id="automation has just asked",
        ),
        pytest.param(
            samples.application(state=samples.state("Succeeded", results=[RAN])),
            "follow",
            "argo.automation-ran",
            id="automation was quicker than we",
        ),
        pytest.param(
            samples.application(
                state=samples.state("Running", of=samples.operation(revision=samples.OTHER))
            ),
            "wait",
            "argo.other-operation",
            id="the revision before is still being synced",
        ),
        pytest.param(
            samples.application(
                state=samples.state("Running", of=samples.operation(selected=True))
            ),
            "wait",
            "argo.other-operation",
            id="self-heal of the same revision runs",
        ),
        pytest.param(
            samples.application(refreshing=True, revision=samples.OTHER),
            "wait",
            "argo.refreshing",
            id="the refresh is not worked off",
        ),
        pytest.param(
            samples.application(sync=""),
            "wait",
            "argo.refreshing",
            id="never compared",
        ),
        pytest.param(
            samples.application(sync="Unknown", conditions=[("ComparisonError", "no git")]),
            "wait",
            "argo.not-compared",
            id="cannot be compared",
        ),
        pytest.param(
            samples.application(revision=samples.OTHER),
            "moved",
            "argo.other-revision",
            id="another head",
        ),
        pytest.param(
            samples.application(),
            "push",
            "argo.nothing-to-do",
            id="only a hook has changed",
        ),
        pytest.param(
            samples.application(
                state=samples.state("Succeeded", of=samples.operation(selected=True))
            ),
            "push",
            "argo.nothing-to-do",
            id="only self-heal ran",
        ),
        pytest.param(
            samples.application(state=samples.state("Succeeded")),
            "push",
            "argo.without-hooks",
            id="it ran without the hook",
        ),
        pytest.param(
            samples.application(sync="OutOfSync", conditions=[("SyncError", "failed last sync")]),
            "push",
            "argo.failed-before",
            id="the revision failed before",
        ),
        pytest.param(
            samples.application(sync="OutOfSync", automated=False),
            "push",
            "argo.automation-off",
            id="automation is off",
        ),
        pytest.param(
            samples.application(sync="OutOfSync"),
            "push",
            "argo.not-started",
            id="automation has looked and does nothing",
        ),
    ],
)
def test_what_automation_makes_of_it(application: dict[str, Any], does: str, why: str) -> None:
    assert awaiting(application) == (does, why)


def test_a_failure_from_before_is_a_reason_to_start_and_a_new_one_is_the_outcome() -> None:
    failed = samples.application(sync="OutOfSync", state=FAILED)
    assert awaiting(failed, previous=samples.STARTED) == ("push", "argo.failed-before")
    assert awaiting(failed, previous="2026-11-23T10:00:00Z") == ("follow", "argo.automation-ran")


def test_disabled_automation_is_off_although_it_is_there() -> None:
    application = samples.application()
    assert applications.is_automated(application)
    application["spec"]["syncPolicy"]["automated"]["enabled"] = False
    assert not applications.is_automated(application)


def test_objects_that_wait_for_pruning_are_told_from_those_that_differ() -> None:
    application = samples.application(
        resources=[
            {
                "kind": "Service",
                "namespace": "a",
                "name": "old",
                "status": "OutOfSync",
                "requiresPruning": True,
            },
            {"kind": "Deployment", "namespace": "a", "name": "auth", "status": "OutOfSync"},
            {"kind": "ConfigMap", "namespace": "a", "name": "same", "status": "Synced"},
        ]
    )
    assert applications.unpruned(application) == (subjects.Ref("Service", "a", "old"),)
    assert applications.out_of_sync(application) == (subjects.Ref("Deployment", "a", "auth"),)


def test_the_history_knows_what_the_record_has_forgotten() -> None:
    entry = {"revision": samples.REVISION, "deployStartedAt": samples.STARTED}
    application = samples.application(history=[entry])
    assert applications.has_deployed(application, samples.STARTED, samples.REVISION)
    assert not applications.has_deployed(application, samples.STARTED, samples.OTHER)
    assert not applications.has_deployed(application, "2026-11-23T10:00:00Z", samples.REVISION)


def test_a_branchs_name_is_not_taken_for_a_commit() -> None:
    """Argo CD 3.6.1 writes it when its repo-server is down: the branch has not moved on."""
    unknown = samples.application(sync="Unknown", revision="refs/heads/release")
    assert applications.sync(unknown) == ("Unknown", "")


OWNED = applications.Owned(
    repository="https://git.example.com/shop.git",
    path="services/auth/helm",
    release="auth-service",
    namespace="services-dev",
    labels={"hanbae.dev/service": "auth", "hanbae.dev/environment": "dev"},
)


def ours(**source: Any) -> dict[str, Any]:
    application = samples.application()
    application["metadata"]["labels"] = dict(OWNED.labels)
    application["spec"]["destination"] = {"namespace": "services-dev"}
    application["spec"]["source"] |= {
        "path": "services/auth/helm",
        "helm": {"releaseName": "auth-service"},
        **source,
    }
    return application


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/shop.git",
        "https://git.example.com/shop",
        "https://Git.example.com/shop/",
    ],
)
def test_our_own_application_is_ours_however_its_repository_is_spelled(url: str) -> None:
    assert applications.foreign(ours(repoURL=url), OWNED) is None


@pytest.mark.parametrize(
    ("url", "is_same"),
    [
        ("ssh://git@git.example.com/shop/shop.git", True),
        ("SSH://git@git.example.com/shop/shop", True),
        ("git@git.example.com:shop/shop", True),
        ("ssh://git@git.example.com:2222/shop/shop.git", False),
        ("git@git.example.com:shop/other", False),
        ("https://git.example.com/shop/shop.git", False),
    ],
)
def test_two_spellings_of_ssh_are_one_repository(url: str, *, is_same: bool) -> None:
    assert applications.is_same_repository(url, "git@git.example.com:shop/shop.git") is is_same


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ({"repoURL": "https://git.example.com/other.git"}, "source.repoURL"),
        ({"path": "charts/auth"}, "source.path"),
        ({"helm": {}}, "source.helm.releaseName"),
    ],
)
def test_an_application_that_deploys_something_else_is_foreign(
    source: dict[str, Any], field: str
) -> None:
    why = applications.foreign(ours(**source), OWNED)
    assert why is not None
    assert (why.id, why.facts["field"]) == ("argo.other-application", field)


def test_an_application_without_our_labels_is_foreign() -> None:
    application = ours()
    del application["metadata"]["labels"]["hanbae.dev/service"]
    why = applications.foreign(application, OWNED)
    assert why is not None
    assert (why.id, why.facts["found"]) == ("argo.not-ours", "-")


def several(**second: Any) -> dict[str, Any]:
    """An Application of which the values come from a second source."""
    application = ours()
    source = application["spec"].pop("source") | {"targetRevision": "refs/heads/develop"}
    values = {"repoURL": source["repoURL"], "targetRevision": "refs/heads/develop", "ref": "values"}
    application["spec"]["sources"] = [source, {**values, **second}]
    status = application["status"]
    status["sync"] = {"status": "Synced", "revisions": [samples.REVISION, samples.REVISION]}
    return application


def test_an_application_with_a_source_of_values_is_ours() -> None:
    assert applications.foreign(several(), OWNED) is None
    why = applications.foreign(several(), msgspec.structs.replace(OWNED, path="charts/auth"))
    assert why is not None
    assert why.facts["field"] == "source.path"


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ({}, True),
        ({"repoURL": "https://git.example.com/shop"}, True),
        ({"repoURL": "https://git.example.com/values.git"}, False),
        ({"targetRevision": "refs/heads/main"}, False),
        ({"chart": "redis"}, False),
    ],
)
def test_one_commit_names_what_several_sources_deploy_where_all_are_of_one_branch(
    second: dict[str, Any], expected: bool
) -> None:
    assert applications.has_one_commit(several(**second)) is expected


def test_the_commit_of_several_sources_is_known_when_all_are_at_it() -> None:
    application = several()
    assert applications.sync(application) == ("Synced", samples.REVISION)
    application["status"]["sync"]["revisions"][1] = samples.OTHER
    assert applications.sync(application) == ("Synced", "")
    entry = {"revisions": [samples.REVISION] * 2, "deployStartedAt": samples.STARTED}
    application["status"]["history"] = [entry]
    assert applications.has_deployed(application, samples.STARTED, samples.REVISION)


def test_an_operation_names_the_commit_for_each_source() -> None:
    application = several()
    changed = operations.asking(application, revision=samples.OTHER, key="k", by="b")
    sync = changed["operation"]["sync"]
    assert sync["revisions"] == [samples.OTHER, samples.OTHER]
    assert "revision" not in sync
    pending = operations.requested(changed)
    assert pending is not None
    assert pending.revision == samples.OTHER
    request = operations.request(application, revision=samples.OTHER, key="k")
    assert request["revisions"] == [samples.OTHER, samples.OTHER]
    assert request["sourcePositions"] == [1, 2]
    assert "revision" not in request
    assert "revisions" not in operations.request(application, revision="", key="k")
