"""Nothing comes to a database that an earlier deployment still has goose take back, with nobody watching."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from typing import Any

import pytest

from hanbae import errors, subjects, wording
from hanbae.argo import proof_rules
from hanbae.clusters import connections, kinds, reading
from hanbae.deploying import deadlines, proving, unwatched
from hanbae.planning import proofs
from hanbae.policy import labels
from hanbae.results import plans

UNSENT: Any = None
CLUSTER = connections.Cluster(UNSENT, context="pods", server="https://10.0.0.1:6443")
LOOKING = "kubectl get jobs,pods -n services --context pods"
HOOK = subjects.Ref("Job", "services", "auth-service-migrate")


def asking(key: str = "AUTH_URL") -> dict[str, Any]:
    """A proof of the database whose address is a key of the service's Secret."""
    reference = {"secretKeyRef": {"name": "auth-secrets", "key": key}}
    container = {
        "name": "status",
        "args": ["-env=none", "-dir", "/migrations", "-table", "t", "status"],
        "env": [{"name": "GOOSE_DBSTRING", "valueFrom": reference}],
    }
    own = {labels.COMPONENT: "proof"}
    template = {"metadata": {"labels": dict(own)}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"namespace": "services", "labels": own},
        "spec": {"activeDeadlineSeconds": 120, "template": template},
    }


def running(key: str = "AUTH_URL", *, deployment: str = "d1") -> kinds.Object:
    """A Job that takes that database back, as a deployment has made it."""
    job = proofs.way_back(asking(key), 1, deadline=600)
    intent = proving.key(deployment, "take-back-auth_db")
    return proving.named(job, "auth-service-take-back-auth_db", intent) | {"status": {"active": 1}}


def over(job: kinds.Object) -> kinds.Object:
    return job | {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}


def proof(key: str = "AUTH_URL") -> plans.Prove:
    return plans.Prove("auth_db", (1, 2, 3), HOOK, asking(key))


FORWARD = plans.Plan(1, "auth", "dev", (plans.Step("prove-auth_db", proof()),))
BACK = plans.Plan(
    1, "auth", "dev", (plans.Step("take-back-auth_db", plans.TakeBack(proof(), 1, 3, "a" * 40)),)
)
Waits = Callable[..., Any]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    """Waits while the cluster answers with these Jobs, look by look; gives what was told and how many looks it took."""

    async def wait(
        plan: plans.Plan,
        *looks: list[kinds.Object],
        deployment: str = "d2",
        limit: deadlines.Limit | None = None,
    ) -> tuple[list[wording.Text], int]:
        sentences: list[wording.Text] = []
        requests: list[str] = []

        async def find(
            _: connections.Cluster, __: kinds.Kind, namespace: str, *, label_selector: str
        ) -> list[kinds.Object]:
            assert label_selector == "app.kubernetes.io/component=proof,hanbae.dev/key"
            requests.append(namespace)
            return copy.deepcopy(looks[min(len(requests), len(looks)) - 1])

        async def tell(text: wording.Text) -> None:
            sentences.append(text)

        monkeypatch.setattr(reading, "find", find)
        monkeypatch.setattr(unwatched, "LOOK", 0.001)
        await unwatched.until_ended(CLUSTER, plan, deployment, tell, limit=limit)
        return sentences, len(requests)

    return wait


@pytest.mark.parametrize("plan", [FORWARD, BACK], ids=["a deployment", "a rollback"])
async def test_a_way_back_that_goes_on_is_waited_for_and_named(
    waits: Waits, plan: plans.Plan
) -> None:
    job = running()
    sentences, looks = await waits(plan, [job], [job], [over(job)])
    assert looks == 3
    (text,) = sentences
    assert text.id == "rollback.awaits-goose"
    assert text.facts["jobs"] == f"Job/services/{job['metadata']['name']}"


@pytest.mark.parametrize(
    "jobs",
    [
        [],
        [over(running())],
        [running("AUDIT_URL")],
        [running(deployment="d2")],
        [asking() | {"metadata": {"namespace": "services", "name": "x", "labels": {}}}],
    ],
    ids=["none", "it has ended", "another database", "its own", "a mere question"],
)
async def test_nothing_else_is_waited_for(waits: Waits, jobs: list[kinds.Object]) -> None:
    assert await waits(BACK, jobs) == ([], 1)


async def test_where_nothing_is_proven_nothing_is_asked(waits: Waits) -> None:
    assert await waits(plans.Plan(1, "auth", "dev", ()), [running()]) == ([], 0)


async def test_one_that_does_not_end_refuses(waits: Waits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof_rules, "LONGEST", 0)
    monkeypatch.setattr(unwatched, "SLACK", 0.05)
    with pytest.raises(errors.Refused, match=r"rollback\.goose-remains") as refused:
        await waits(BACK, [running()])
    assert "auth-service-take-back-auth-db" in refused.value.text.facts["jobs"]
    assert refused.value.text.facts["command"] == LOOKING


async def test_jobs_of_several_namespaces_are_shown_by_a_command_for_each(
    waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof_rules, "LONGEST", 0)
    monkeypatch.setattr(unwatched, "SLACK", 0.05)
    question, elsewhere = asking(), running()
    for job in (question, elsewhere):
        job["metadata"]["namespace"] = "others"
    proof_elsewhere = plans.Prove("auth_db", (1,), HOOK, question)
    steps = (*FORWARD.steps, plans.Step("prove-elsewhere", proof_elsewhere))
    with pytest.raises(errors.Refused) as refused:
        await waits(plans.Plan(1, "auth", "dev", steps), [elsewhere, running()])
    other = "kubectl get jobs,pods -n others --context pods"
    assert refused.value.text.facts["command"] == f"{other} && {LOOKING}"


async def test_nobody_waits_longer_than_the_person_has_said(waits: Waits) -> None:
    """A Job that is suspended and has never begun has no deadline that would end it."""
    suspended = running()
    suspended["spec"]["suspend"] = True
    with pytest.raises(errors.Refused, match=r"rollback\.waited-goose") as refused:
        async with asyncio.timeout(5):
            await waits(BACK, [suspended], limit=deadlines.Limit.beginning(0.05))
    assert refused.value.text.facts["seconds"] == "0.05"
    assert refused.value.text.facts["command"] == LOOKING
    assert "auth-service-take-back-auth-db" in refused.value.text.facts["jobs"]


async def test_what_is_told_is_no_longer_than_the_persons_limit(waits: Waits) -> None:
    limit = deadlines.Limit.beginning(60)
    ((text,), _) = await waits(BACK, [running()], [over(running())], limit=limit)
    assert text.facts["seconds"] == "60"


async def test_a_limit_that_is_over_refuses_nothing_where_nothing_runs(waits: Waits) -> None:
    assert await waits(BACK, [], limit=deadlines.Limit.beginning(-1)) == ([], 1)
