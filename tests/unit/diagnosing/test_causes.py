"""Symptoms as Kubernetes 1.35, containerd 1.6 and Sealed Secrets 0.40 show them, and the cause that is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from tests.support import applications, objects

from hanbae import subjects
from hanbae.clusters import kinds
from hanbae.diagnosing import causes, pictures

NOT_FOUND = (
    'rpc error: code = NotFound desc = failed to pull and unpack image "10.89.1.2:5000/shop/auth@sha256:00":'
    ' failed to resolve reference "10.89.1.2:5000/shop/auth@sha256:00": 10.89.1.2:5000/shop/auth@sha256:00: not found'
)
UNAUTHORISED = (
    'rpc error: code = Unknown desc = failed to pull and unpack image "10.89.1.2:5000/shop/auth:1.401": failed to'
    ' resolve reference "10.89.1.2:5000/shop/auth:1.401": pulling from host 10.89.1.2:5000 failed with status code'
    " [manifests 1.401]: 401 Unauthorized"
)
UNREACHABLE = (
    'rpc error: code = Unknown desc = failed to pull and unpack image "10.89.1.2:5000/shop/auth:1.401": failed to do'
    ' request: Head "http://10.89.1.2:5000/v2/shop/auth/manifests/1.401": dial tcp 10.89.1.2:5000: connect:'
    " connection refused"
)
POD_SECURITY = (
    'Error creating: pods "auth-service-1" is forbidden: violates PodSecurity "restricted:latest":'
    " allowPrivilegeEscalation != false"
)
QUOTA = (
    'Error creating: pods "auth-service-1" is forbidden: exceeded quota: default, requested: pods=1, used: pods=2,'
    " limited: pods=2"
)
QUOTA_TOO_SMALL = (
    'Error creating: pods "auth-service-1" is forbidden: exceeded quota: services, requested:'
    " pods=1,requests.cpu=64, used: pods=1,requests.cpu=20m, limited: pods=9,requests.cpu=16"
)
QUOTA_UNSAID = (
    'Error creating: pods "auth-service-1" is forbidden: failed quota: services:'
    " must specify limits.cpu for: migrate"
)
LIMIT_RANGE = (
    'Error creating: pods "auth-service-1" is forbidden: [maximum memory usage per Container is 1Gi, but limit is 2Gi,'
    " maximum cpu usage per Container is 2, but limit is 4]"
)

ACCOUNT = (
    'Error creating: pods "x" is forbidden: error looking up service account services-dev/auth-service:'
    ' serviceaccount "auth-service" not found'
)
ADMISSION_POLICY = (
    "Error creating: pods \"x\" is forbidden: ValidatingAdmissionPolicy 'tags' with binding 'tags' denied request:"
    " no latest tags"
)
WEBHOOK_SILENT = (
    'Error creating: Internal error occurred: failed calling webhook "policy.example.com": failed to call webhook:'
    ' Post "https://policy.policy.svc:443/check": dial tcp 10.96.0.9:443: connect: connection refused'
)


def named(
    *objects: kinds.Object, logs: Mapping[tuple[subjects.Ref, str], Sequence[str]] | None = None
) -> list[pictures.Cause]:
    return list(
        causes.named(
            pictures.Picture({kinds.ref(manifest): manifest for manifest in objects}, logs or {})
        )
    )


def only(*objects: kinds.Object, **logs: Any) -> pictures.Cause:
    (ranked,) = named(*objects, **logs)
    return ranked


def verdict(cause: pictures.Cause) -> tuple[str, bool]:
    return cause.diagnosis.cause.id, cause.diagnosis.fatal


def owned(dependent: kinds.Object, owner: kinds.Object) -> kinds.Object:
    name = owner["metadata"]["name"]
    dependent["metadata"]["ownerReferences"] = [
        {"kind": owner["kind"], "name": name, "controller": True}
    ]
    return dependent


@pytest.mark.parametrize(
    ("reason", "message", "id_", "fatal", "command"),
    [
        (
            "CreateContainerConfigError",
            'secret "auth-secrets" not found',
            "diagnosis.secret-missing",
            True,
            "kubectl get sealedsecret auth-secrets -n services-dev",
        ),
        (
            "CreateContainerConfigError",
            "couldn't find key DATABASE_URL in Secret services-dev/auth-secrets",
            "diagnosis.secret-key-missing",
            True,
            "kubectl describe secret auth-secrets -n services-dev",
        ),
        (
            "CreateContainerConfigError",
            'configmap "auth" not found',
            "diagnosis.configmap-missing",
            True,
            "kubectl get configmap auth -n services-dev",
        ),
        (
            "CreateContainerConfigError",
            "container has runAsNonRoot and image will run as root",
            "diagnosis.container-not-created",
            True,
            "kubectl describe pod auth-1 -n services-dev",
        ),
        (
            "CreateContainerConfigError",
            "failed to sync secret cache: timed out waiting for the condition",
            "diagnosis.container-not-created",
            False,
            "kubectl describe pod auth-1 -n services-dev",
        ),
        (
            "ErrImagePull",
            NOT_FOUND,
            "diagnosis.image-not-found",
            True,
            "kubectl describe pod auth-1 -n services-dev",
        ),
        (
            "ImagePullBackOff",
            f'Back-off pulling image "x": ErrImagePull: {UNAUTHORISED}',
            "diagnosis.image-unauthorised",
            True,
            "kubectl get pod auth-1 -n services-dev -o jsonpath={.spec.imagePullSecrets}",
        ),
        (
            "ErrImagePull",
            UNREACHABLE,
            "diagnosis.image-unreachable",
            False,
            "kubectl describe pod auth-1 -n services-dev",
        ),
        (
            "ErrImagePull",
            "something new",
            "diagnosis.image-unknown",
            False,
            "kubectl describe pod auth-1 -n services-dev",
        ),
        (
            "InvalidImageName",
            "Failed to apply default image tag",
            "diagnosis.image-not-found",
            True,
            "kubectl describe pod auth-1 -n services-dev",
        ),
    ],
)
def test_a_pod_that_cannot_start(
    reason: str, message: str, id_: str, fatal: bool, command: str
) -> None:
    pod = objects.pod("auth-1", containers=[objects.waiting(reason, message=message)])
    cause = only(pod)
    assert verdict(cause) == (id_, fatal)
    assert " ".join(cause.diagnosis.command) == command
    assert cause.diagnosis.cause.facts["container"] == "app"


def test_the_pulls_cause_is_taken_from_the_warning_while_the_kubelet_backs_off() -> None:
    waiting = objects.waiting("ImagePullBackOff", message='Back-off pulling image "x"')
    pod = objects.pod("auth-1", containers=[waiting])
    warning = objects.event(pod, "Failed", f'Failed to pull image "x": {NOT_FOUND}')
    assert verdict(only(pod, warning)) == ("diagnosis.image-not-found", True)


@pytest.mark.parametrize(
    ("words", "id_"),
    [
        (UNAUTHORISED, "diagnosis.image-unauthorised"),
        # So answer registries that tell nobody else what they have.
        (NOT_FOUND, "diagnosis.image-not-found"),
    ],
)
@pytest.mark.parametrize(("pulls", "fatal"), [(1, False), (2, True)])
def test_a_refusal_is_final_once_the_kubelet_has_asked_again_with_the_secret(
    pulls: int, fatal: bool, words: str, id_: str
) -> None:
    pod = objects.pod("auth-1", containers=[objects.waiting("ErrImagePull", message=words)])
    failed = objects.event(pod, "Failed", f'Failed to pull image "x": {words}')
    unread = objects.event(
        pod,
        "FailedToRetrieveImagePullSecret",
        "Unable to retrieve some image pull secrets (registry-credentials)",
    )
    cause = only(pod, failed | {"count": pulls}, unread)
    assert verdict(cause) == (id_, fatal)


@pytest.mark.parametrize(
    ("reason", "words"), [("InvalidImageName", "odd"), ("ImageInspectError", NOT_FOUND)]
)
def test_no_secret_mends_an_image_that_no_registry_was_asked_for(reason: str, words: str) -> None:
    pod = objects.pod("auth-1", containers=[objects.waiting(reason, message=words)])
    unread = objects.event(pod, "FailedToRetrieveImagePullSecret", "Unable to retrieve some")
    assert verdict(only(pod, unread)) == ("diagnosis.image-not-found", True)


def test_of_two_pods_of_an_owner_the_one_that_is_beyond_help_is_named() -> None:
    replicas = objects.live(kinds.REPLICASET, "auth-service-1")
    first, second = (
        owned(
            objects.pod(
                f"auth-{number}",
                containers=[objects.waiting("ErrImagePull", message=UNAUTHORISED)],
            ),
            replicas,
        )
        for number in (1, 2)
    )
    unread = objects.event(first, "FailedToRetrieveImagePullSecret", "Unable to retrieve some")
    cause = only(replicas, first, second, unread)
    assert verdict(cause) == ("diagnosis.image-unauthorised", True)


def test_a_pod_that_is_being_deleted_is_in_no_trouble() -> None:
    pod = objects.pod("auth-1", containers=[objects.waiting("ErrImagePull", message=NOT_FOUND)])
    pod["metadata"]["deletionTimestamp"] = "2026-11-23T00:00:00Z"
    assert named(pod) == []


def test_a_healthy_pod_has_no_cause() -> None:
    assert named(objects.pod("auth-1", containers=[objects.running()], phase="Running")) == []


def test_the_same_cause_in_several_pods_of_a_deployment_is_one() -> None:
    replicas = objects.live(kinds.REPLICASET, "auth-service-1")
    broken = [
        owned(
            objects.pod(
                f"auth-{n}", containers=[objects.waiting("ErrImagePull", message=NOT_FOUND)]
            ),
            replicas,
        )
        for n in range(3)
    ]
    assert len(named(replicas, *broken)) == 1


def test_a_crashing_container_comes_with_its_last_words() -> None:
    last = objects.terminated(1)
    pod = objects.pod(
        "auth-1", containers=[objects.waiting("CrashLoopBackOff", restarts=3, last=last)]
    )
    cause = only(pod, logs={(kinds.ref(pod), "app"): ["starting", "no config"]})
    assert verdict(cause) == ("diagnosis.crashing", False)
    assert cause.diagnosis.cause.facts["log"] == "starting\nno config"
    assert cause.diagnosis.cause.facts["exit"] == "1"
    assert cause.diagnosis.command[-1] == "--previous"


def test_a_container_that_needs_too_much_memory_is_told_its_limit() -> None:
    last = objects.terminated(137, reason="OOMKilled")
    pod = objects.pod(
        "auth-1", containers=[objects.waiting("CrashLoopBackOff", restarts=1, last=last)]
    )
    pod["spec"]["containers"][0]["resources"] = {"limits": {"memory": "64Mi"}}
    cause = only(pod)
    assert cause.diagnosis.cause.id == "diagnosis.out-of-memory"
    assert cause.diagnosis.cause.facts["limit"] == "64Mi"


def test_a_pod_for_which_there_is_no_node() -> None:
    pod = objects.pod("auth-1")
    pod["status"] = {
        "phase": "Pending",
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/1 nodes are available: 1 Insufficient memory.",
            }
        ],
    }
    assert verdict(only(pod)) == ("diagnosis.unschedulable", False)


def test_readiness_is_a_trouble_only_after_several_failures() -> None:
    status = objects.running()
    status["ready"] = False
    pod = objects.pod("auth-1", containers=[status], phase="Running")
    warning = objects.event(
        pod, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"
    )
    warning["count"] = 1
    assert named(pod, warning) == []
    warning["count"] = 4
    cause = only(pod, warning)
    assert verdict(cause) == ("diagnosis.not-ready", False)
    assert "503" in cause.diagnosis.cause.facts["message"]


def test_a_volume_of_a_missing_secret_is_a_missing_secret() -> None:
    pod = objects.pod("auth-1")
    warning = objects.event(
        pod,
        "FailedMount",
        'MountVolume.SetUp failed for volume "tls" : secret "auth-tls" not found',
    )
    assert verdict(only(pod, warning)) == ("diagnosis.secret-missing", True)


def test_owners_in_a_circle_end_where_it_closes() -> None:
    pod = objects.pod("auth-1", containers=[objects.waiting("CreateContainerConfigError")])
    other = objects.pod("auth-2")
    owned(pod, other)
    owned(other, pod)
    assert verdict(only(pod, other))[0] == "diagnosis.container-not-created"


def _ready_to_start(pod: kinds.Object, status: str) -> kinds.Object:
    pod["status"]["conditions"] = [{"type": "PodReadyToStartContainers", "status": status}]
    return pod


@pytest.mark.parametrize(
    ("pod", "causes_"),
    [
        (objects.pod("auth-1", containers=[objects.running()], phase="Running"), []),
        (objects.pod("auth-1", containers=[objects.terminated()], phase="Succeeded"), []),
        (_ready_to_start(objects.pod("auth-1"), "True"), []),
        (
            objects.pod("auth-1", containers=[objects.waiting("ContainerCreating")]),
            ["diagnosis.secret-missing"],
        ),
        (
            # The computer was started again: the containers ran before that.
            _ready_to_start(objects.pod("auth-1", containers=[objects.terminated()]), "False"),
            ["diagnosis.secret-missing"],
        ),
    ],
    ids=["runs", "has ended", "is about to begin", "waits", "waits again"],
)
def test_a_mount_that_failed_counts_until_the_pod_has_its_volumes(
    pod: kinds.Object, causes_: list[str]
) -> None:
    message = 'MountVolume.SetUp failed for volume "tls" : secret "auth-tls" not found'
    warning = objects.event(pod, "FailedMount", message)
    assert [cause.diagnosis.cause.id for cause in named(pod, warning)] == causes_


MIGRATION = {"app.kubernetes.io/component": "migration", "hanbae.dev/database": "auth_db"}
GOOSE = [
    "2026/11/23 11:50:08 OK   00003_index.sql (1ms)",
    "2026/11/23 11:50:08 goose run: ERROR 00004_bad.sql: failed to run SQL migration: division by zero",
]


def migrating(
    *, failed: int, condition: str = "", reason: str = ""
) -> tuple[kinds.Object, kinds.Object]:
    job = objects.job(
        "auth-service-migrate", failed=failed, condition=condition, reason=reason, labels=MIGRATION
    )
    ended = objects.terminated(1, name="migrate")
    return job, owned(
        objects.pod("auth-service-migrate-x", containers=[ended], phase="Failed"), job
    )


def test_the_first_failed_attempt_warns_and_names_file_and_error() -> None:
    job, pod = migrating(failed=1)
    cause = only(job, pod, logs={(kinds.ref(pod), "migrate"): GOOSE})
    assert verdict(cause) == ("diagnosis.migration-attempt", False)
    facts = cause.diagnosis.cause.facts
    assert (facts["attempt"], facts["attempts"], facts["database"]) == ("1", "4", "auth_db")
    assert facts["error"] == "00004_bad.sql: failed to run SQL migration: division by zero"
    assert facts["exit"] == "1"
    assert (
        " ".join(cause.diagnosis.command) == "kubectl logs job/auth-service-migrate -n services-dev"
    )


@pytest.mark.parametrize(
    ("reason", "id_"),
    [
        ("BackoffLimitExceeded", "diagnosis.migration-failed"),
        ("DeadlineExceeded", "diagnosis.migration-too-long"),
    ],
)
def test_a_failed_job_is_fatal(reason: str, id_: str) -> None:
    job, pod = migrating(failed=4, condition="Failed", reason=reason)
    assert verdict(only(job, pod)) == (id_, True)


def test_a_hook_that_migrates_nothing_is_called_a_hook() -> None:
    job = objects.job("smoke", condition="Failed", reason="BackoffLimitExceeded")
    assert verdict(only(job)) == ("diagnosis.job-failed", True)


def test_a_job_that_has_succeeded_after_a_failed_attempt_is_fine() -> None:
    job, pod = migrating(failed=1, condition="Complete")
    assert named(job, pod) == []


@pytest.mark.parametrize(
    ("message", "id_", "fatal"),
    [
        (POD_SECURITY, "diagnosis.pod-security", True),
        (QUOTA, "diagnosis.quota", False),
        (QUOTA_TOO_SMALL, "diagnosis.quota-too-small", True),
        (QUOTA_UNSAID, "diagnosis.beyond-limits", True),
        (LIMIT_RANGE, "diagnosis.beyond-limits", True),
        (
            ACCOUNT,
            "diagnosis.service-account-missing",
            True,
        ),
        (
            'Error creating: admission webhook "policy.example.com" denied the request: no latest tags',
            "diagnosis.webhook",
            True,
        ),
        (
            ADMISSION_POLICY,
            "diagnosis.webhook",
            True,
        ),
        (
            WEBHOOK_SILENT,
            "diagnosis.webhook-silent",
            False,
        ),
        ("Error creating: something else", "diagnosis.no-pods", False),
    ],
)
def test_admission_that_refuses_a_job_its_pods(message: str, id_: str, fatal: bool) -> None:
    job = objects.job("auth-service-migrate")
    assert verdict(only(job, objects.event(job, "FailedCreate", message))) == (id_, fatal)


def test_what_only_a_condition_says_may_be_of_an_earlier_attempt() -> None:
    failure = {"type": "ReplicaFailure", "status": "True", "message": QUOTA_TOO_SMALL}
    replicas = objects.live(kinds.REPLICASET, "auth-service-1", status={"conditions": [failure]})
    assert verdict(only(replicas)) == ("diagnosis.quota-too-small", False)
    again = objects.event(replicas, "FailedCreate", QUOTA_TOO_SMALL)
    assert verdict(only(replicas, again)) == ("diagnosis.quota-too-small", True)


def test_admission_is_about_the_deployment_that_people_know() -> None:
    deployment = objects.live(kinds.DEPLOYMENT, "auth-service", spec={})
    failure = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": QUOTA,
    }
    replicas = owned(
        objects.live(kinds.REPLICASET, "auth-service-1", status={"conditions": [failure]}),
        deployment,
    )
    cause = only(deployment, replicas)
    assert cause.diagnosis.subject == kinds.ref(deployment)
    assert cause.diagnosis.cause.facts["quota"] == "default"
    pod = owned(objects.pod("auth-service-1-x", containers=[objects.running()]), replicas)
    assert named(deployment, replicas, pod) == []


def test_a_rollout_past_its_own_deadline_is_fatal() -> None:
    condition = {
        "type": "Progressing",
        "status": "False",
        "reason": "ProgressDeadlineExceeded",
        "message": 'ReplicaSet "auth-service-1" has timed out progressing.',
    }
    deployment = objects.live(
        kinds.DEPLOYMENT,
        "auth-service",
        spec={"progressDeadlineSeconds": 60},
        status={"conditions": [condition]},
    )
    cause = only(deployment)
    assert verdict(cause) == ("diagnosis.progress-deadline", True)
    assert cause.diagnosis.cause.facts["seconds"] == "60"


def external(
    status: str = "False", message: str = "", *, generation: int = 1, synced: str = "1-a"
) -> kinds.Object:
    condition = {"type": "Ready", "status": status, "message": message, "reason": "x"}
    return objects.live(
        kinds.EXTERNALSECRET,
        "auth-secrets",
        metadata={"generation": generation, "creationTimestamp": "2026-11-29T05:00:00Z"},
        spec={"secretStoreRef": {"kind": "ClusterSecretStore", "name": "shop"}},
        status={"conditions": [condition] if status else [], "syncedResourceVersion": synced},
    )


def test_what_the_operator_cannot_fetch_from_its_store() -> None:
    cause = only(external(message="could not get secret data from provider"))
    assert verdict(cause) == ("diagnosis.not-fetched", False)
    assert cause.diagnosis.cause.facts["stores"] == "ClusterSecretStore/shop"
    assert cause.diagnosis.cause.facts["message"] == "could not get secret data from provider"
    assert " ".join(cause.diagnosis.command).startswith(
        "kubectl describe externalsecret auth-secrets"
    )
    assert named(external("True")) == []


def test_the_operators_own_warning_says_why_nothing_is_fetched() -> None:
    item = external(message="could not get secret data from provider")
    warnings = [
        objects.live(
            kinds.EVENT,
            f"auth-secrets.{number}",
            involvedObject={
                "kind": "ExternalSecret",
                "name": "auth-secrets",
                "namespace": "services-dev",
            },
            type="Warning",
            reason=reason,
            message=message,
            lastTimestamp=f"2026-11-29T05:0{number}:00Z",
        )
        for number, (reason, message) in enumerate(
            (
                ("UpdateFailed", 'could not get ClusterSecretStore "shop"'),
                ("UpdateFailed", "error processing spec.data[0] (key: dev/auth)" + "x" * 900),
                ("Other", "something else"),
            )
        )
    ]
    every = {kinds.ref(live): live for live in (item, *warnings)}
    (cause,) = causes.named(pictures.Picture(every))
    message = cause.diagnosis.cause.facts["message"]
    assert message.startswith(
        "could not get secret data from provider: error processing spec.data[0] (key: dev/auth)"
    )
    assert len(message) < 700


def test_an_external_secret_that_no_operator_looks_at() -> None:
    item = external("")
    for minutes, ids in ((0, []), (10, ["diagnosis.operator-silent"])):
        picture = pictures.Picture(
            {kinds.ref(item): item}, now=datetime(2026, 11, 29, 5, minutes, tzinfo=UTC)
        )
        assert [cause.diagnosis.cause.id for cause in causes.named(picture)] == ids


def test_where_nothing_is_sealed_no_command_seals() -> None:
    picture = pictures.Picture({}, service="auth", environment="dev", secret="auth-secrets")
    assert picture.seals("auth-secrets", ["A"])[:3] == ("hanbae", "secrets", "seal")
    external_picture = msgspec.structs.replace(picture, maker="ExternalSecret")
    assert external_picture.seals("auth-secrets", ["A"]) == ()


def sealed(message: str, *, generation: int = 2, observed: int = 2) -> kinds.Object:
    condition = {"type": "Synced", "status": "False", "message": message}
    return objects.live(
        kinds.SEALEDSECRET,
        "auth-secrets",
        metadata={"generation": generation},
        status={"observedGeneration": observed, "conditions": [condition]},
    )


@pytest.mark.parametrize(
    ("message", "id_", "keys"),
    [
        (
            "no key could decrypt secret (DATABASE_URL, JWT_SECRET)",
            "diagnosis.undecryptable",
            "DATABASE_URL, JWT_SECRET",
        ),
        ("no key could decrypt secret", "diagnosis.undecryptable", "-"),
        (
            "illegal base64 data at input byte 400 (JWT_SECRET)",
            "diagnosis.undecryptable",
            "JWT_SECRET",
        ),
        (
            'failed update: Resource "auth-secrets" already exists and is not managed by SealedSecret',
            "diagnosis.secret-unmanaged",
            None,
        ),
        ("Operation cannot be fulfilled", "diagnosis.not-unsealed", None),
    ],
)
def test_a_sealed_secret_that_is_not_unsealed(message: str, id_: str, keys: str | None) -> None:
    cause = only(sealed(message))
    assert cause.diagnosis.cause.id == id_
    assert cause.diagnosis.cause.facts.get("keys") == keys


def test_what_the_controller_said_about_the_values_before_does_not_count() -> None:
    assert named(sealed("no key could decrypt secret", generation=3)) == []


def test_argo_cd_that_cannot_compare_is_named_with_its_words() -> None:
    application = applications.application(
        sync="Unknown", conditions=[("ComparisonError", "failed to generate manifest")]
    )
    cause = only(application)
    assert verdict(cause) == ("diagnosis.not-compared", True)
    assert cause.diagnosis.cause.facts["message"] == "failed to generate manifest"


@pytest.mark.parametrize(
    ("message", "cluster", "command"),
    [
        (
            'error getting cluster by name "aws:eu": there are no clusters with this name: aws:eu',
            "aws:eu",
            ("argocd", "cluster", "add", "aws:eu", "--name", "aws:eu"),
        ),
        (
            'error getting cluster by server: cluster "https://10.0.0.1:6443" not found',
            "https://10.0.0.1:6443",
            ("argocd", "cluster", "list"),
        ),
    ],
    ids=["name", "server"],
)
def test_a_cluster_that_argo_cd_does_not_know_is_named_with_what_registers_it(
    message: str, cluster: str, command: tuple[str, ...]
) -> None:
    for words in (message, message.replace('"', '\\"')):
        cause = only(applications.application(conditions=[("InvalidSpecError", words)]))
        assert verdict(cause) == ("diagnosis.cluster-unknown", True)
        assert cause.diagnosis.cause.facts["cluster"] == cluster
        assert cause.diagnosis.command == command


def test_another_fault_of_a_destination_keeps_argo_cds_words() -> None:
    message = 'error getting cluster by server "https://k": server.secretkey is missing'
    cause = only(applications.application(conditions=[("InvalidSpecError", message)]))
    assert verdict(cause) == ("diagnosis.invalid-application", True)


def test_an_object_that_could_not_be_applied_is_named() -> None:
    failed = applications.result(
        "Deployment",
        "auth-service",
        status="SyncFailed",
        phase="Failed",
        message="field is immutable",
    )
    cause = only(applications.application(state=applications.state("Failed", results=[failed])))
    assert cause.diagnosis.cause.id == "diagnosis.not-applied"
    assert cause.diagnosis.subject.name == "auth-service"


def test_the_deepest_cause_comes_first() -> None:
    job, _ = migrating(failed=0)
    waiting = objects.waiting(
        "CreateContainerConfigError", name="migrate", message='secret "auth-secrets" not found'
    )
    pod = owned(objects.pod("auth-service-migrate-x", containers=[waiting]), job)
    ids = [
        cause.diagnosis.cause.id for cause in named(job, pod, sealed("no key could decrypt secret"))
    ]
    assert ids == ["diagnosis.undecryptable", "diagnosis.secret-missing"]


def test_foreign_sentences_are_one_line_and_not_endless() -> None:
    pod = objects.pod("auth-1", containers=[objects.waiting("ErrImagePull", message="a\n" * 5000)])
    message = only(pod).diagnosis.cause.facts["message"]
    assert "\n" not in message
    assert len(message) <= pictures.LONGEST


@pytest.mark.parametrize("where", ["condition", "operation"])
def test_a_repo_server_that_is_down_is_not_taken_for_a_fault_of_the_chart(where: str) -> None:
    """As Argo CD 3.6.1 says it when its repo-server was killed."""
    message = (
        "Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unavailable"
        ' desc = connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:8081: connect:'
        ' connection refused"'
    )
    if where == "condition":
        application = applications.application(conditions=[("ComparisonError", message)])
    else:
        state = applications.state("Error", message=f"ComparisonError: {message}")
        application = applications.application(state=state)
    cause = only(application)
    assert verdict(cause) == ("diagnosis.repo-server", False)
    assert cause.diagnosis.command[-1] == "app.kubernetes.io/name=argocd-repo-server"


def test_a_hook_that_needs_too_much_memory_is_told_its_limit() -> None:
    """Its container is not started again, so nothing is in its last state."""
    job, _ = migrating(failed=0)
    ended = {
        "name": "migrate",
        "restartCount": 0,
        "state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
    }
    pod = owned(objects.pod("auth-service-migrate-x", containers=[ended]), job)
    pod["spec"] = {"containers": [{"name": "migrate", "resources": {"limits": {"memory": "64Mi"}}}]}
    by_id = {cause.diagnosis.cause.id: cause.diagnosis for cause in named(job, pod)}
    assert by_id["diagnosis.out-of-memory"].cause.facts["limit"] == "64Mi"


@pytest.mark.parametrize("probe", ["Liveness", "Startup"])
def test_a_probe_that_kills_the_container_is_named(probe: str) -> None:
    crashed = {
        "name": "auth",
        "restartCount": 2,
        "ready": False,
        "state": {"running": {}},
        "lastState": {"terminated": {"reason": "Error", "exitCode": 143}},
    }
    pod = objects.pod("auth-1", containers=[crashed])
    message = f"{probe} probe failed: HTTP probe failed with statuscode: 500"
    cause = only(pod, objects.event(pod, "Unhealthy", message))
    assert cause.diagnosis.cause.id == "diagnosis.probe-kills"
    assert cause.diagnosis.cause.facts["probe"] == probe.lower()


PROBED = {"readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}}}


def crash_looping(
    *, restarts: int, exit_code: int = 3, ready_after: int = 0, reason: str = "Error"
) -> kinds.Object:
    """A pod that waits to be started again; it was ready so many seconds after its start, or never for 0."""
    last = objects.terminated(exit_code, reason=reason)
    status = objects.waiting("CrashLoopBackOff", restarts=restarts, last=last)
    pod = objects.pod("auth-1", containers=[status])
    pod["spec"]["containers"][0] |= PROBED
    pod["status"]["conditions"] = [
        {"type": "Initialized", "status": "True", "lastTransitionTime": "2026-11-23T00:00:00Z"},
        {
            "type": "Ready",
            "status": "False",
            "lastTransitionTime": f"2026-11-23T00:00:{ready_after:02}Z",
        },
    ]
    return pod


def crashing(
    pod: kinds.Object, *more: kinds.Object, limit: int = 3, before: int = 0
) -> pictures.Cause:
    present = {kinds.ref(manifest): manifest for manifest in (pod, *more)}
    earlier = {(kinds.ref(pod), "app"): before}
    picture = pictures.Picture(present, crashes=limit, crashes_before=earlier)
    (cause,) = causes.named(picture)
    return cause


@pytest.mark.parametrize(
    ("restarts", "limit", "before", "ready_after", "hopeless"),
    [
        (1, 3, 0, 0, False),
        (2, 3, 0, 0, True),
        (4, 3, 0, 0, True),
        (4, 6, 0, 0, False),
        (9, 0, 0, 0, False),
        (9, 3, 10, 0, False),
        (9, 3, 9, 0, True),
        (1, 3, 1, 0, False),
        (9, 3, 0, 40, False),
    ],
    ids=[
        "two crashes",
        "three crashes",
        "five crashes",
        "below the policy's limit",
        "no limit",
        "crashed before this deployment",
        "crashed before and once since",
        "too seldom even with those before",
        "was ready once",
    ],
)
def test_a_pod_that_was_never_ready_is_hopeless_after_so_many_crashes(
    restarts: int, limit: int, before: int, ready_after: int, hopeless: bool
) -> None:
    pod = crash_looping(restarts=restarts, ready_after=ready_after)
    cause = crashing(pod, limit=limit, before=before)
    assert cause.diagnosis.cause.id == "diagnosis.crashing"
    assert cause.diagnosis.cause.facts["exit"] == "3"
    assert "--previous" in cause.diagnosis.command
    assert (cause.diagnosis.fatal, cause.is_settled) == (hopeless, hopeless)


def test_ready_without_a_probe_only_means_that_it_runs() -> None:
    pod = crash_looping(restarts=2, ready_after=40)
    del pod["spec"]["containers"][0]["readinessProbe"]
    assert crashing(pod).diagnosis.fatal


@pytest.mark.parametrize(
    ("exit_code", "cause_id"),
    [
        (3, "diagnosis.crashing"),
        (1, "diagnosis.crashing"),
        (0, "diagnosis.crashing"),
        (137, "diagnosis.probe-kills"),
        (143, "diagnosis.probe-kills"),
    ],
)
def test_a_probe_explains_only_a_container_that_was_killed(exit_code: int, cause_id: str) -> None:
    pod = crash_looping(restarts=6, exit_code=exit_code)
    probe = objects.event(pod, "Unhealthy", "Startup probe failed: dial tcp: connection refused")
    assert crashing(pod, probe).diagnosis.cause.id == cause_id


def test_a_deadline_is_only_a_symptom_where_a_pod_says_why() -> None:
    deployment = objects.live(
        kinds.DEPLOYMENT,
        "auth-service",
        spec={"replicas": 1},
        status={
            "conditions": [
                {
                    "type": "Progressing",
                    "status": "False",
                    "reason": "ProgressDeadlineExceeded",
                    "message": "timed out progressing",
                }
            ]
        },
    )
    replicaset = objects.live(
        kinds.REPLICASET,
        "auth-service-1",
        metadata={"ownerReferences": [owned_by("Deployment", "auth-service")]},
    )
    pod = crash_looping(restarts=1)
    pod["metadata"]["ownerReferences"] = [owned_by("ReplicaSet", "auth-service-1")]
    (alone,) = named(deployment, replicaset)
    assert alone.diagnosis.cause.id == "diagnosis.progress-deadline"
    assert [cause.diagnosis.cause.id for cause in named(deployment, replicaset, pod)] == [
        "diagnosis.crashing"
    ]


def owned_by(kind: str, name: str) -> dict[str, Any]:
    return {"kind": kind, "name": name, "controller": True, "uid": "x"}


@pytest.mark.parametrize(
    ("error", "hopeless"),
    [
        (
            'failed to run SQL migration: ...: ERROR: relation "x" does not exist (SQLSTATE 42P01)',
            True,
        ),
        ("failed to run SQL migration: ...: ERROR: division by zero (SQLSTATE 22012)", True),
        ("failed to run SQL migration: ...: ERROR: duplicate key (SQLSTATE 23505)", True),
        ("failed to parse SQL migration file: failed to parse migration: missing semicolon?", True),
        ("failed to run SQL migration: ...: ERROR: deadlock detected (SQLSTATE 40P01)", False),
        (
            "failed to run SQL migration: ...: canceling statement due to lock timeout (SQLSTATE 55P03)",
            False,
        ),
        (
            'failed to execute SQL query "-- (SQLSTATE 42P01)": ERROR: deadlock (SQLSTATE 40P01)',
            False,
        ),
    ],
)
def test_a_migration_that_fails_the_same_way_again_is_hopeless_after_its_first_attempt(
    error: str, hopeless: bool
) -> None:
    job = objects.job(
        "auth-service-migrate",
        failed=1,
        labels={"app.kubernetes.io/component": "migration", "hanbae.dev/database": "auth_db"},
    )
    pod = objects.pod("auth-service-migrate-1", containers=[objects.terminated(1, name="migrate")])
    pod["metadata"]["ownerReferences"] = [owned_by("Job", "auth-service-migrate")]
    log = [f"2026/11/23 12:08:19 goose run: ERROR 00002_more.sql: {error}"]
    (cause,) = named(job, pod, logs={(kinds.ref(pod), "migrate"): log})
    ids = {True: "diagnosis.migration-hopeless", False: "diagnosis.migration-attempt"}
    assert cause.diagnosis.cause.id == ids[hopeless]
    assert (cause.diagnosis.fatal, cause.is_settled) == (hopeless, hopeless)


def at_once(*ends: dict[str, Any]) -> tuple[kinds.Object, list[kinds.Object]]:
    """A Job that runs several pods at once, and those pods."""
    job, _ = migrating(failed=1)
    job["spec"] |= {"completionMode": "Indexed", "completions": len(ends), "parallelism": len(ends)}
    names = (f"auth-service-migrate-{number}-x2v8q" for number in range(len(ends)))
    pods = [
        owned(objects.pod(name, containers=[end], phase="Failed"), job)
        for name, end in zip(names, ends, strict=True)
    ]
    return job, pods


def test_what_one_of_several_pods_meets_may_be_what_another_one_has_done() -> None:
    job, pods = at_once(objects.terminated(1, name="migrate"), objects.running("migrate"))
    error = "failed to run SQL migration: ERROR: relation exists (SQLSTATE 42P07)"
    log = [f"2026/11/23 12:08:19 goose run: ERROR 00002_more.sql: {error}"]
    cause = only(job, *pods, logs={(kinds.ref(pods[0]), "migrate"): log})
    assert verdict(cause) == ("diagnosis.migration-attempt", False)
    job["spec"]["parallelism"] = 1
    (cause, *_) = named(job, *pods, logs={(kinds.ref(pods[0]), "migrate"): log})
    assert verdict(cause) == ("diagnosis.migration-hopeless", True)


def test_an_index_with_attempts_of_its_own_counts_its_own() -> None:
    job, pods = at_once(objects.terminated(1, name="migrate"), objects.running("migrate"))
    job["spec"]["backoffLimit"] = 2**31 - 1  # what the API server fills in
    job["spec"]["backoffLimitPerIndex"] = 2
    job["status"]["failed"] = 5
    for before, attempt in {"1": "2", None: "1", "many": "1"}.items():
        pods[0]["metadata"]["annotations"] = before and {
            "batch.kubernetes.io/job-index-failure-count": before
        }
        facts = only(job, *pods).diagnosis.cause.facts
        assert (facts["attempt"], facts["attempts"]) == (attempt, "3")


def test_of_several_pods_the_one_that_failed_is_told_and_not_one_that_was_ended_for_it() -> None:
    failed, ended = objects.terminated(1, name="migrate"), objects.terminated(143, name="migrate")
    job, pods = at_once(failed, ended)
    condition = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
    job["status"]["conditions"] = [condition]
    pods[1]["metadata"] |= {
        "creationTimestamp": "2026-11-23T00:00:01Z",
        "deletionTimestamp": "2026-11-23T00:00:09Z",
    }
    logs = {(kinds.ref(pods[0]), "migrate"): GOOSE, (kinds.ref(pods[1]), "migrate"): ["Terminated"]}
    cause = only(job, *pods, logs=logs)
    assert verdict(cause) == ("diagnosis.migration-failed", True)
    facts = cause.diagnosis.cause.facts
    assert (facts["exit"], facts["error"].partition(":")[0]) == ("1", "00004_bad.sql")
    name = "auth-service-migrate-0-x2v8q"
    # `kubectl logs job/…` would choose one of them by itself.
    assert cause.diagnosis.command == (
        "kubectl",
        "logs",
        name,
        "-n",
        "services-dev",
        "-c",
        "migrate",
    )


def killed(word: str, code: int, limit: str | None, **status: object) -> dict[str, Any]:
    """A pod of a Job whose container has ended."""
    ended = {
        "name": "migrate",
        "restartCount": 0,
        "state": {"terminated": {"reason": word, "exitCode": code}},
    }
    pod = objects.pod("auth-service-migrate-x", containers=[ended])
    resources = {"limits": {"memory": limit}} if limit else {}
    pod["spec"] = {"containers": [{"name": "migrate", "resources": resources}]}
    pod["status"] |= status
    return pod


def test_kill_that_containerd_calls_an_error_names_the_memory_limit() -> None:
    """A busy node: the kernel's message was missed, only the exit code of SIGKILL is left."""
    job, _ = migrating(failed=0)
    pod = owned(killed("Error", 137, "16Mi"), job)
    causes = {cause.diagnosis.cause.id: cause.diagnosis.cause for cause in named(job, pod)}
    assert causes["diagnosis.killed"].facts["limit"] == "16Mi"
    assert causes["diagnosis.killed"].facts["exit"] == "137"


@pytest.mark.parametrize("reason", ["Error", "OOMKilled"])
def test_migration_that_was_killed_to_the_end_is_told_its_memory_limit(reason: str) -> None:
    job, _ = migrating(failed=1, condition="Failed", reason="BackoffLimitExceeded")
    pod = owned(killed(reason, 137, "16Mi"), job)
    causes = {cause.diagnosis.cause.id: cause.diagnosis for cause in named(job, pod)}
    assert causes["diagnosis.migration-killed"].fatal
    assert causes["diagnosis.migration-killed"].cause.facts["limit"] == "16Mi"


def test_migration_that_failed_by_itself_is_not_blamed_on_its_memory_limit() -> None:
    job, _ = migrating(failed=1, condition="Failed", reason="BackoffLimitExceeded")
    pod = owned(killed("Error", 1, "16Mi"), job)
    assert "diagnosis.migration-failed" in {cause.diagnosis.cause.id for cause in named(job, pod)}


def test_kill_of_a_restarting_container_names_the_memory_limit() -> None:
    last = objects.terminated(137, reason="Error")
    pod = objects.pod(
        "auth-1", containers=[objects.waiting("CrashLoopBackOff", restarts=1, last=last)]
    )
    assert only(pod).diagnosis.cause.id == "diagnosis.crashing"
    pod["spec"]["containers"][0]["resources"] = {"limits": {"memory": "64Mi"}}
    cause = only(pod)
    assert cause.diagnosis.cause.id == "diagnosis.killed"
    assert cause.diagnosis.cause.facts["limit"] == "64Mi"
    assert cause.diagnosis.command[-1] == "--previous"


@pytest.mark.parametrize(
    "pod",
    [
        killed("Error", 137, None),
        killed("Error", 1, "16Mi"),
        killed("Error", 143, "16Mi"),
        killed("Error", 137, "16Mi", reason="DeadlineExceeded"),
        killed("Error", 137, "16Mi", reason="Evicted"),
    ],
    ids=["no limit", "another code", "terminated", "deadline", "evicted"],
)
def test_end_that_another_reason_explains_is_not_blamed_on_memory(pod: dict[str, Any]) -> None:
    assert not {"diagnosis.killed", "diagnosis.out-of-memory"} & {
        cause.diagnosis.cause.id for cause in named(pod)
    }


def test_probe_that_kills_is_named_before_memory() -> None:
    crashed = {
        "name": "auth",
        "restartCount": 2,
        "ready": False,
        "state": {"running": {}},
        "lastState": {"terminated": {"reason": "Error", "exitCode": 137}},
    }
    pod = objects.pod("auth-1", containers=[crashed])
    pod["spec"]["containers"][0]["resources"] = {"limits": {"memory": "64Mi"}}
    message = "Liveness probe failed: HTTP probe failed with statuscode: 500"
    cause = only(pod, objects.event(pod, "Unhealthy", message))
    assert cause.diagnosis.cause.id == "diagnosis.probe-kills"


def test_kill_at_the_memory_limit_is_hopeless_after_as_many_times_as_a_crash() -> None:
    pod = crash_looping(restarts=2, exit_code=137)
    pod["spec"]["containers"][0]["resources"] = {"limits": {"memory": "64Mi"}}
    cause = crashing(pod)
    assert cause.diagnosis.cause.id == "diagnosis.killed"
    assert (cause.diagnosis.fatal, cause.is_settled) == (True, True)
