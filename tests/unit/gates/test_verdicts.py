"""What each gate says of what it sees: passed only where everything was seen and is as it should be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from hanbae import errors, subjects, wording
from hanbae.clusters import connections, kinds, logs, reading, rereading, service_proxies
from hanbae.gates import (
    api_tested,
    deciding,
    health_checked,
    image_pushed,
    logs_clean,
    manual_sync,
    migration_logs,
    migration_watched,
    secrets_sealed,
    targets,
    verdicts,
    versions_updated,
)
from hanbae.policy import documents
from hanbae.releases import endpoints
from hanbae.results import checklists, events, plans

MOMENT = datetime(2026, 11, 29, tzinfo=UTC)
HOOK = subjects.Ref("Job", "services", "auth-service-migrate")
PROOF = plans.Prove("auth_db", (1, 2), HOOK, {})


def policy(**lists: Any) -> documents.Policy:
    return documents.Policy(
        version=1,
        argocd=documents.ArgoCD("https://git.example.com/shop.git"),
        environments={"dev": documents.Environment(branch="develop")},
        checklists=documents.Checklists(**lists),
    )


def target(
    *recorded: events.Fact,
    proofs: tuple[plans.Prove, ...] = (PROOF,),
    objects: tuple[dict[str, Any], ...] = (),
    values: dict[str, Any] | None = None,
    settings: documents.Environment | None = None,
    **more: Any,
) -> Any:
    own = more.pop("policy", policy(settle="0s"))
    if settings is not None:
        own = msgspec.structs.replace(own, environments={"dev": settings})
    source = SimpleNamespace(
        policy=own,
        service="auth",
        environment="dev",
        namespace="services",
        values_file="values-dev.yaml",
        rendered=SimpleNamespace(values=values or {}),
    )
    stream = tuple(
        events.Event("d1", number + 1, MOMENT, "sync", fact) for number, fact in enumerate(recorded)
    )
    fields = {
        "source": source,
        "policy": own,
        "environment": own.environments["dev"],
        "objects": list(objects),
        "proofs": list(proofs),
        "plan": plans.Plan(
            1, "auth", "dev", tuple(plans.Step(proof.hook.name, proof) for proof in proofs)
        ),
        "recorded": stream,
        "proved": (),
        "refuted": {},
        "redact": lambda text: text.replace("hunter2", "***"),
        "began": None,
        "workload": None,
        "stated": (),
        "typed": tuple,
        "facts": {"service": "auth", "environment": "dev", "revision": "abc"},
    }
    return SimpleNamespace(**(fields | more))


def ids(verdict: verdicts.Verdict) -> list[str]:
    texts = (*verdict.reasons, *verdict.unseen, *verdict.pending, *verdict.evidence)
    return [text.id for text in texts]


def test_an_item_passes_only_where_everything_was_seen() -> None:
    evidence, unseen = verdicts.passed("gate.no-pods"), verdicts.undecided("gate.no-pods")
    later, failed = verdicts.pending("gate.no-pods"), verdicts.failed("gate.no-pods")
    assert verdicts.joined(evidence).outcome == "passed"
    assert verdicts.joined(evidence, unseen).outcome == "undecided"
    assert verdicts.joined(evidence, later).outcome == "undecided"
    assert verdicts.joined(evidence, unseen, failed).outcome == "failed"


# Platforms


NODES = frozenset({"linux/amd64", "linux/arm64"})
WHERE = {"service": "auth", "environment": "dev"}


@pytest.mark.parametrize(
    ("platforms", "nodes", "outcome"),
    [
        (("linux/amd64", "linux/arm64"), NODES, "passed"),
        (("linux/amd64",), NODES, "undecided"),
        (("linux/s390x",), NODES, "failed"),
        (None, NODES, "undecided"),
        (("linux/amd64",), frozenset(), "undecided"),
        (errors.Unreachable("registry.unreachable"), NODES, "undecided"),
    ],
)
def test_an_image_must_be_for_the_platforms_of_the_nodes(
    platforms: Any, nodes: frozenset[str], outcome: str
) -> None:
    assert image_pushed.platform("shop/auth:1", platforms, nodes, WHERE).outcome == outcome


def test_only_nodes_that_a_selector_allows_and_that_take_pods_count() -> None:
    def node(arch: str, *, pool: str = "a", **spec: Any) -> dict[str, Any]:
        own = {"kubernetes.io/os": "linux", "kubernetes.io/arch": arch, "pool": pool}
        return {"metadata": {"labels": own}, "spec": spec}

    nodes = [node("amd64"), node("arm64", pool="b"), node("s390x", unschedulable=True)]
    assert image_pushed.eligible(nodes, {}) == NODES
    assert image_pushed.eligible(nodes, {"pool": "b"}) == {"linux/arm64"}


# Secrets


SEALED = {
    "kind": "SealedSecret",
    "metadata": {"name": "auth-secrets"},
    "spec": {"encryptedData": {"DATABASE_URL": "A" * 400}},
}


def opened(**status: Any) -> dict[str, Any]:
    conditions = [{"type": "Synced", "status": "True"}]
    return {
        **SEALED,
        "metadata": {"name": "auth-secrets", "generation": 2},
        "status": {"observedGeneration": 2, "conditions": conditions, **status},
    }


def test_ciphertext_is_opened_where_the_controller_has_seen_this_very_one() -> None:
    assert secrets_sealed.is_opened(opened(), SEALED)
    assert not secrets_sealed.is_opened(opened(observedGeneration=1), SEALED)
    assert not secrets_sealed.is_opened(
        opened(conditions=[{"type": "Synced", "status": "False"}]), SEALED
    )
    other = {**SEALED, "spec": {"encryptedData": {"DATABASE_URL": "B" * 400}}}
    assert not secrets_sealed.is_opened(opened(), other)


def answer_as_controller(
    monkeypatch: pytest.MonkeyPatch, request: Callable[..., Awaitable[service_proxies.Answer]]
) -> None:
    """Have a controller's service that answers so, and nothing else in the cluster."""

    async def get(*_: object) -> None:
        return None

    async def first_port(*_: object) -> str:
        return "http"

    monkeypatch.setattr(service_proxies, "request", request)
    monkeypatch.setattr(reading, "get", get)
    monkeypatch.setattr(reading, "first_port", first_port)


@pytest.mark.parametrize(
    ("statuses", "outcome", "text_id"),
    [
        ([200], "passed", "gate.secret-verified"),
        ([409], "failed", "gate.secret-not-opened"),
        ([429, 429, 200], "passed", "gate.secret-verified"),
        ([429] * 9, "undecided", "gate.secret-unanswered"),
        ([500], "undecided", "gate.secret-unanswered"),
        ([], "undecided", "gate.secret-unverified"),
    ],
)
async def test_the_controller_is_asked_gently_whether_it_opens_what_is_new(
    monkeypatch: pytest.MonkeyPatch, statuses: list[int], outcome: str, text_id: str
) -> None:
    left = list(statuses)

    async def request(*_: object, content: bytes, **__: object) -> service_proxies.Answer:
        assert b'"namespace":"services"' in content
        if not left:
            raise errors.Forbidden("cluster.forbidden")
        return service_proxies.Answer(left.pop(0), b"")

    answer_as_controller(monkeypatch, request)
    monkeypatch.setattr(secrets_sealed, "_PAUSE", 0)
    verdict = await secrets_sealed.decide(target(objects=(SEALED,)))
    assert (verdict.outcome, text_id in ids(verdict)) == (outcome, True)


async def test_a_controller_that_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def request(*_: object, **__: object) -> service_proxies.Answer:
        await asyncio.sleep(60)
        raise AssertionError

    answer_as_controller(monkeypatch, request)
    monkeypatch.setattr(targets, "ASKS_WITHIN", 0.01)
    verdict = await secrets_sealed.decide(target(objects=(SEALED,)))
    assert (verdict.outcome, verdict.unseen) == ("undecided", ())
    assert "cluster.service-silent" in ids(verdict)


UNSENT: Any = None
PODS = connections.Cluster(UNSENT, context="pods", server="https://10.0.0.1:6443")
EXTERNAL: dict[str, Any] = {
    "kind": "ExternalSecret",
    "metadata": {"name": "auth-secrets"},
    "spec": {
        "secretStoreRef": {"kind": "ClusterSecretStore", "name": "shop"},
        "data": [{"secretKey": "DATABASE_URL", "remoteRef": {"key": "dev/auth", "property": "u"}}],
    },
}


def fetched(
    status: str = "True", *, generation: int = 1, synced: str = "1-abc", remote: str = "dev/auth"
) -> dict[str, Any]:
    """As a cluster has it: with what the API server fills in."""
    reference = {"key": remote, "property": "u", "decodingStrategy": "None"}
    condition = {"type": "Ready", "status": status, "reason": "x", "message": "could not get it"}
    return {
        **EXTERNAL,
        "metadata": {"name": "auth-secrets", "generation": generation},
        "spec": {
            **EXTERNAL["spec"],
            "refreshInterval": "1h0m0s",
            "data": [{"secretKey": "DATABASE_URL", "remoteRef": reference}],
        },
        "status": {"conditions": [condition], "syncedResourceVersion": synced},
    }


@pytest.mark.parametrize(
    ("live", "outcome", "text_id"),
    [
        pytest.param(fetched(), "passed", "gate.external-fetched", id="fetched"),
        pytest.param(fetched("False"), "failed", "gate.external-not-fetched", id="not fetched"),
        pytest.param(None, "undecided", "gate.external-not-there", id="not applied yet"),
        pytest.param(
            fetched(remote="dev/old"),
            "undecided",
            "gate.external-not-there",
            id="of another commit",
        ),
        pytest.param(
            fetched(generation=2), "undecided", "gate.external-waits", id="of an older generation"
        ),
    ],
)
async def test_the_operators_word_on_what_the_commit_refers_to(
    monkeypatch: pytest.MonkeyPatch, live: Any, outcome: str, text_id: str
) -> None:
    async def get(*_: object) -> Any:
        return live

    monkeypatch.setattr(reading, "get", get)
    verdict = await secrets_sealed.decide(target(objects=(EXTERNAL,), workload=PODS))
    assert (verdict.outcome, text_id in ids(verdict)) == (outcome, True)


async def test_the_commands_about_what_was_not_fetched_ask_the_cluster_of_the_pods(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def get(*_: object) -> Any:
        return fetched("False")

    monkeypatch.setattr(reading, "get", get)
    verdict = await secrets_sealed.decide(target(objects=(EXTERNAL,), workload=PODS))
    (facts,) = [text.facts for text in verdict.reasons]
    own = "externalsecret auth-secrets -n services"
    assert facts["describe"] == f"kubectl describe {own} --context pods"
    assert facts["annotate"] == (
        f"kubectl annotate {own} --overwrite --context pods force-sync=$RANDOM"
    )


def by_store(*keys: str, external: dict[str, Any] | None = None) -> Any:
    variables = [
        {"name": key, "valueFrom": {"secretKeyRef": {"name": "auth-secrets", "key": key}}}
        for key in keys
    ]
    pod = {"spec": {"containers": [{"name": "app", "env": variables}]}}
    deployment = {
        "kind": "Deployment",
        "metadata": {"name": "auth"},
        "spec": {"template": pod},
    }
    own = msgspec.structs.replace(policy(), secrets=documents.Secrets(provider="external-secrets"))
    return target(objects=(deployment, *([external] if external else [])), policy=own)


async def test_every_key_that_pods_need_is_referred_to_by_the_commit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def get(*_: object) -> None:
        return None

    monkeypatch.setattr(reading, "get", get)
    committed = await secrets_sealed.committed(by_store("DATABASE_URL", external=EXTERNAL))
    assert committed.outcome == "passed"
    lacking = await secrets_sealed.committed(by_store("TOKEN", external=EXTERNAL))
    assert ids(lacking) == ["preflight.external-keys-missing"]
    nothing = await secrets_sealed.committed(by_store("TOKEN"))
    assert ids(nothing) == ["preflight.external-missing"]
    whole = {**EXTERNAL, "spec": {"dataFrom": [{"extract": {"key": "dev/auth"}}]}}
    assert ids(await secrets_sealed.committed(by_store("TOKEN", external=whole))) == [
        "gate.secret-of-store"
    ]


# While it runs


BEGAN = events.Began("k", automated=False, revision="abc")
BY_ARGOCD = events.Began("k", automated=True, revision="abc")
BY_HAND = documents.Environment(branch="b", sync="auto", database_changes="manual")
AUTOMATED = documents.Environment(branch="b", sync="auto")
BY_HELM = documents.Environment(branch="b", sync="auto", engine="helm")


@pytest.mark.parametrize(
    ("facts", "settings", "outcome"),
    [
        ((BEGAN,), None, "passed"),
        ((), None, "undecided"),
        ((BY_ARGOCD,), AUTOMATED, "passed"),
        ((BY_ARGOCD,), BY_HAND, "failed"),
        ((BEGAN,), BY_HAND, "passed"),
        ((), BY_HELM, "undecided"),
        ((BEGAN,), BY_HELM, "passed"),
    ],
)
async def test_database_changes_are_synced_by_hand_where_the_policy_says_so(
    facts: tuple[events.Fact, ...], settings: documents.Environment | None, outcome: str
) -> None:
    assert (await manual_sync.decide(target(*facts, settings=settings))).outcome == outcome
    without = target(*facts, settings=settings, proofs=())
    assert (await manual_sync.decide(without)).outcome == "passed"


COMPLETE = events.Observed(HOOK, "Complete")
LINE = events.Logged(subjects.Ref("Pod", "services", "auth-service-migrate-x2v8q"), "migrate", "OK")
GAP = events.Noted(wording.Text("deploy.log-gap", {"pod": "auth-service-migrate-x2v8q"}))
OTHERS = events.Logged(subjects.Ref("Pod", "services", "auth-service-7d"), "app", "OK")


@pytest.mark.parametrize(
    ("facts", "watched", "logged"),
    [
        ((BEGAN, COMPLETE, LINE), "passed", "passed"),
        ((BEGAN, COMPLETE, LINE, GAP), "passed", "undecided"),
        ((BEGAN, events.Observed(HOOK, "Running"), OTHERS), "undecided", "undecided"),
        ((), "undecided", "undecided"),
    ],
)
async def test_a_migration_was_watched_and_its_log_is_kept(
    facts: tuple[events.Fact, ...], watched: str, logged: str
) -> None:
    assert (await migration_watched.decide(target(*facts))).outcome == watched
    assert (await migration_logs.decide(target(*facts))).outcome == logged


@pytest.mark.parametrize("missing", ["auth-service-migrate", "auth-service-migrate-audit"])
async def test_a_jobs_log_is_not_that_of_a_job_whose_name_begins_alike(missing: str) -> None:
    jobs = [subjects.Ref("Job", "services", f"auth-service-migrate{end}") for end in ("", "-audit")]
    proofs = tuple(plans.Prove("auth_db", (1, 2), job, {}) for job in jobs)
    logged = [
        events.Logged(subjects.Ref("Pod", "services", f"{job.name}-x2v8q"), "migrate", "OK")
        for job in jobs
        if job.name != missing
    ]
    verdict = await migration_logs.decide(target(*logged, proofs=proofs))
    assert [(text.id, text.facts["job"]) for text in verdict.unseen] == [
        ("gate.log-missing", missing)
    ]
    assert [text.facts["lines"] for text in verdict.evidence] == ["1"]


async def test_the_log_of_each_pod_of_an_indexed_job_is_the_jobs() -> None:
    pods = [subjects.Ref("Pod", "services", f"{HOOK.name}-{number}-x2v8q") for number in (0, 1)]
    logged = [events.Logged(pod, "migrate", "OK") for pod in pods]
    verdict = await migration_logs.decide(target(*logged))
    assert (verdict.outcome, verdict.evidence[0].facts["lines"]) == ("passed", "2")
    gap = events.Noted(wording.Text("deploy.log-gap", {"pod": pods[1].name}))
    assert (await migration_logs.decide(target(*logged, gap))).outcome == "undecided"


# After it


async def test_versions_are_up_to_date_where_goose_says_so_of_every_database() -> None:
    proved = events.Proved("auth_db", 2, 2, (2,), ("00002_b.sql",))
    assert (await versions_updated.decide(target())).outcome == "undecided"
    assert (await versions_updated.decide(target(proved=(proved,)))).outcome == "passed"
    refuted = {"auth_db": wording.Text("proof.not-applied", {"files": "00002_b.sql"})}
    verdict = await versions_updated.decide(target(refuted=refuted))
    assert (verdict.outcome, ids(verdict)) == ("failed", ["proof.not-applied"])


INVALID = wording.Text("drift.invalid", {"database": "auth_db", "indexes": "public.by_name"})
UNHEARD = wording.Text("proof.drift-unheard", {"database": "auth_db"})


@pytest.mark.parametrize(
    ("drift", "outcome", "unseen"),
    [
        ((), "passed", ()),
        ((INVALID,), "undecided", (INVALID,)),
        ((UNHEARD,), "passed", ()),
        ((UNHEARD, INVALID), "undecided", (INVALID,)),
    ],
)
async def test_a_database_that_has_drifted_is_for_a_person_to_decide(
    drift: tuple[wording.Text, ...], outcome: str, unseen: tuple[wording.Text, ...]
) -> None:
    proved = events.Proved("auth_db", 2, 2, (), (), drift)
    verdict = await versions_updated.decide(target(proved=(proved,)))
    assert (verdict.outcome, verdict.unseen) == (outcome, unseen)
    assert "gate.proven" in ids(verdict), "that it has the migrations is said all the same"
    checked = deciding.checked(policy(), "after", {"versions-updated": verdict})
    (decision,) = [item for item in checked.decisions if item.check == "versions-updated"]
    assert (decision.outcome, decision.evidence[: len(unseen)]) == (outcome, unseen)


def status(restarts: int = 0, ended: str = "") -> dict[str, Any]:
    terminated = {"finishedAt": ended, "reason": "Error", "exitCode": 2} if ended else {}
    return {
        "name": "app",
        "restartCount": restarts,
        "lastState": {"terminated": terminated} if terminated else {},
    }


def pod(**own: Any) -> dict[str, Any]:
    metadata = {
        "name": "auth-1",
        "namespace": "services",
        "uid": "u1",
        "labels": {"pod-template-hash": "h1"},
    }
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-29T00:00:00Z"}
    state = {"conditions": [ready], "containerStatuses": [status()], **own}
    return {"metadata": metadata, "status": state}


DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "auth-service",
        "namespace": "services",
        "annotations": {"deployment.kubernetes.io/revision": "4"},
    },
    "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "auth"}}},
    "status": {"updatedReplicas": 1, "replicas": 1, "availableReplicas": 1},
}


class Cluster:
    """What the gates read of a cluster; pods change from reading to reading."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *readings: list[dict[str, Any]]) -> None:
        self.live: dict[str, Any] | None = DEPLOYMENT
        self.lines: list[rereading.Line] | errors.Error = []
        self.since = ""
        self._readings = list(readings) or [[pod()]]
        monkeypatch.setattr(reading, "get", self._get)
        monkeypatch.setattr(reading, "find", self._find)
        monkeypatch.setattr(logs, "tail", self._tail)

    async def _get(self, *_: object) -> dict[str, Any] | None:
        return self.live

    async def _find(self, _: object, kind: kinds.Kind, *__: object, **___: object) -> list[Any]:
        if kind is kinds.REPLICASET:
            old = {"metadata": {"name": "old", "labels": {"pod-template-hash": "h0"}}}
            new = {
                "metadata": {
                    "annotations": DEPLOYMENT["metadata"]["annotations"],  # type: ignore[index]
                    "labels": {"pod-template-hash": "h1"},
                }
            }
            return [old, new]
        former = pod()
        former["metadata"]["labels"] = {"pod-template-hash": "h0"}
        former["status"]["containerStatuses"] = [status(9, "2026-11-29T09:00:00Z")]
        current = self._readings.pop(0) if len(self._readings) > 1 else self._readings[0]
        return [former, *current]

    async def _tail(self, *_: object, since: str, **__: object) -> list[rereading.Line]:
        self.since = since
        if isinstance(self.lines, errors.Error):
            raise self.lines
        return self.lines


def line(text: str, **more: Any) -> rereading.Line:
    return rereading.Line("2026-11-29T00:00:01.5Z", text, **more)


def rollout(**more: Any) -> Any:
    rendered = {"kind": "Deployment", "metadata": {"name": "auth-service"}, "spec": {}}
    return target(objects=(rendered,), **more)


@pytest.mark.parametrize(
    ("lines", "outcome"),
    [
        ([line("listening")], "passed"),
        ([line("listening"), line("PANIC: password hunter2 refused")], "failed"),
        ([line("listening"), rereading.GAP], "undecided"),
        ([rereading.GAP, line("panic: x")], "failed"),
        ([line("x" * 900_000), line("y" * 140_000)], "undecided"),
        ([line("cut", cut=True)], "undecided"),
        (errors.Forbidden("cluster.forbidden"), "undecided"),
    ],
    ids=["clean", "dirty", "a gap", "dirty with a gap", "too long", "a cut line", "not readable"],
)
async def test_logs_are_clean_where_all_of_them_was_seen_and_nothing_broke_down(
    monkeypatch: pytest.MonkeyPatch, lines: Any, outcome: str
) -> None:
    cluster = Cluster(monkeypatch)
    cluster.lines = lines
    verdict = await logs_clean.decide(rollout(began=MOMENT))
    assert verdict.outcome == outcome
    assert cluster.since == "2026-11-29T00:00:00Z"
    if outcome == "failed":
        assert verdict.command[:2] == ("kubectl", "logs")
        assert "hunter2" not in str(verdict.reasons)


@pytest.mark.parametrize(
    ("state", "began", "outcome"),
    [
        (status(1, "2026-11-29T00:00:05Z"), MOMENT, "failed"),
        (status(1, "2026-11-28T00:00:05Z"), MOMENT, "passed"),
        (status(1, "2026-11-28T00:00:05Z"), None, "failed"),
    ],
    ids=["since the rollout", "before it", "nobody knows since when"],
)
async def test_a_container_that_was_started_again_is_not_clean(
    monkeypatch: pytest.MonkeyPatch, state: dict[str, Any], began: datetime | None, outcome: str
) -> None:
    Cluster(monkeypatch, [pod(containerStatuses=[state])])
    verdict = await logs_clean.decide(rollout(began=began))
    assert verdict.outcome == outcome
    assert ("gate.restarted" in ids(verdict)) == (outcome == "failed")


async def test_the_teams_own_words_take_the_place_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch)
    cluster.lines = [line("panic: x"), line("Payment DECLINED")]
    own = policy(unclean=("declined",))
    verdict = await logs_clean.decide(rollout(policy=own))
    assert [reason.facts["log"] for reason in verdict.reasons] == ["Payment DECLINED"]


UNREADY = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-29T00:00:09Z"}
AGAIN = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-29T00:00:10Z"}


@pytest.mark.parametrize(
    ("after", "outcome"),
    [
        (pod(), "passed"),
        (pod(conditions=[UNREADY]), "failed"),
        (pod(conditions=[AGAIN]), "failed"),
        (pod(containerStatuses=[status(1, "2026-11-29T00:00:09Z")]), "failed"),
    ],
    ids=["steady", "not ready any more", "not ready for a moment", "started again"],
)
async def test_health_checks_must_go_on_passing_while_pods_settle(
    monkeypatch: pytest.MonkeyPatch, after: dict[str, Any], outcome: str
) -> None:
    Cluster(monkeypatch, [pod()], [after])
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(health_checked.asyncio, "sleep", sleep)
    verdict = await health_checked.decide(rollout(policy=policy(settle="5s")))
    assert (verdict.outcome, pauses) == (outcome, [5])


async def test_an_incomplete_rollout_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch)
    cluster.live = {**DEPLOYMENT, "status": {"updatedReplicas": 1, "replicas": 2}}
    verdict = await health_checked.decide(rollout())
    assert ids(verdict) == ["gate.workload-unready"]
    cluster.live = None
    assert ids(await health_checked.decide(rollout())) == ["gate.workload-missing"]


# Endpoints


SERVICE = {"kind": "Service", "metadata": {"name": "auth-service"}}


@pytest.mark.parametrize(
    ("answer", "outcome", "text_id"),
    [
        (service_proxies.Answer(200, b'{"status": "ok"}'), "passed", "gate.endpoint-right"),
        (service_proxies.Answer(500, b"hunter2"), "failed", "gate.endpoint-wrong"),
        (service_proxies.Answer(302, b""), "failed", "gate.endpoint-wrong"),
        (service_proxies.Answer(200, b"down"), "failed", "gate.endpoint-lacks"),
        (errors.Unreachable("cluster.service-silent", why="x"), "failed", "gate.endpoint-silent"),
        (errors.Forbidden("cluster.forbidden"), "undecided", "cluster.forbidden"),
        (errors.Unreachable("cluster.unreachable"), "undecided", "cluster.unreachable"),
    ],
)
async def test_an_endpoint_answers_as_declared(
    monkeypatch: pytest.MonkeyPatch, answer: Any, outcome: str, text_id: str
) -> None:
    requests: list[tuple[object, ...]] = []

    async def request(_: object, *words: object) -> service_proxies.Answer:
        requests.append(words)
        if isinstance(answer, errors.Error):
            raise answer
        return answer  # type: ignore[no-any-return]

    monkeypatch.setattr(service_proxies, "request", request)
    monkeypatch.setattr(api_tested, "_PAUSE", 0)
    smoke = {"smoke": [{"path": "/readyz", "contains": "ok"}]}
    verdict = await api_tested.decide(target(objects=(SERVICE,), values=smoke))
    assert (verdict.outcome, ids(verdict)) == (outcome, [text_id])
    assert set(requests) == {("services", "auth-service", "http", "/readyz")}
    assert (len(requests) > 1) == (text_id == "gate.endpoint-silent"), "only silence is waited for"
    assert "hunter2" not in str(verdict)


async def test_a_service_that_the_release_does_not_have_is_never_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def request(*_: object) -> service_proxies.Answer:
        raise AssertionError

    monkeypatch.setattr(service_proxies, "request", request)
    smoke = {"smoke": [{"path": "/", "service": "kubernetes"}]}
    verdict = await api_tested.decide(target(objects=(SERVICE,), values=smoke))
    assert ids(verdict) == ["gate.foreign-service"]


async def test_without_endpoints_nobody_can_say_that_they_answer() -> None:
    assert (await api_tested.decide(target(objects=(SERVICE,)))).outcome == "undecided"


@pytest.mark.parametrize(
    "smoke",
    [
        "/healthz",
        [{"path": "/../../secrets"}],
        [{"path": "/a/%2e%2e/b"}],
        [{"path": "//x/..", "port": "http"}],
        [{"path": "/a?b=c"}],
        [{"path": "/", "port": "http/../x"}],
        [{"path": "/", "nobody": 1}],
        [{}],
    ],
)
def test_a_chart_names_no_address_outside_its_service(smoke: Any) -> None:
    with pytest.raises(errors.FileFault) as caught:
        endpoints.of(policy(), "auth", "dev", {"smoke": smoke}, file="values-dev.yaml")
    assert caught.value.text.id == "gate.not-endpoints"


@pytest.mark.parametrize(("of_chart", "refused"), [(49, False), (50, True), (90, True)])
def test_no_endpoint_is_left_out_silently(of_chart: int, *, refused: bool) -> None:
    own = policy(endpoints={"auth": (documents.Endpoint("/own"),)})
    smoke = {"smoke": [{"path": f"/{number}"} for number in range(of_chart)]}
    if not refused:
        assert len(endpoints.of(own, "auth", "dev", smoke)) == of_chart + 1
        return
    with pytest.raises(errors.FileFault) as caught:
        endpoints.of(own, "auth", "dev", smoke, file="values-dev.yaml")
    assert caught.value.text.id == "gate.too-many-endpoints"
    assert str(caught.value.place) == "values-dev.yaml"


def test_the_endpoints_of_the_chart_and_of_the_policy_are_those_of_the_rights() -> None:
    own = policy(endpoints={"auth": (documents.Endpoint("/.well-known/x", service="auth-web"),)})
    probes = endpoints.of(own, "auth", "dev", {"smoke": [{"path": "/", "port": "8080"}]})
    assert endpoints.proxied(probes) == ("http:auth-service:8080", "http:auth-web:http")


# Items


async def test_items_are_decided_by_their_gate_and_others_by_a_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def decide(_: object) -> verdicts.Verdict:
        return verdicts.passed("gate.no-pods")

    async def breaks(_: object) -> verdicts.Verdict:
        raise errors.Unreachable("cluster.unreachable")

    gates = dict.fromkeys(deciding.GATES, decide) | {"api-tested": breaks}
    monkeypatch.setattr(deciding, "GATES", gates)
    items = (
        documents.Item("logs-clean", "Clean."),
        documents.Item("smoke", "Answers.", check="api-tested"),
        documents.Item("health-checked", "Looked at.", check="person"),
        documents.Item("release-notes", "Written."),
    )
    checked = await deciding.decide("after", target(policy=policy(after=items)))
    assert [(d.item, d.check, d.outcome) for d in checked.decisions] == [
        ("logs-clean", "logs-clean", "passed"),
        ("smoke", "api-tested", "undecided"),
        ("health-checked", "person", "undecided"),
        ("release-notes", "person", "undecided"),
    ]
    assert not checklists.failed([checked])


async def test_command_of_an_item_asks_the_cluster_that_the_item_was_decided_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = ("kubectl", "logs", "auth-1", "-n", "services")

    async def decide(_: targets.Target) -> verdicts.Verdict:
        return verdicts.failed("gate.no-pods").then(*command)

    monkeypatch.setattr(deciding, "GATES", {"logs-clean": decide})
    of_cluster = ("--context", "pods")
    judged = await deciding.verdicts_of(
        ["logs-clean"], target(typed=lambda words: (*words, *of_cluster))
    )
    assert judged["logs-clean"].command == (*command, *of_cluster)


def test_every_check_of_the_policy_is_a_gate_or_a_person() -> None:
    own = policy()
    phases = [deciding.gates(own, phase) for phase in checklists.PHASES]
    assert [len(checks) for checks in phases] == [4, 3, 4]
    asked_for_by_name = {"restore-point"}
    assert {check for checks in phases for check in checks} == set(
        deciding.GATES
    ) - asked_for_by_name
