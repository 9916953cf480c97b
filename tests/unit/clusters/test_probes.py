"""What a probe must have, whoever asks for it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from hanbae import errors
from hanbae.clusters import awaiting, probes
from hanbae.policy import labels


def job(**pod: Any) -> dict[str, Any]:
    container = {"name": "goose", "image": "example", "args": ["status"]}
    metadata = {"namespace": "dev", "name": "x", "labels": {labels.KEY: "k1"}}
    spec = {"template": {"spec": {"containers": [container], **pod}}}
    return {"metadata": metadata, "spec": spec}


def test_probe_satisfies_restricted_pod_security_and_ends_by_itself() -> None:
    hardened = probes.hardened(job(), deadline=59.2)
    spec = hardened["spec"]
    assert (hardened["apiVersion"], hardened["kind"]) == ("batch/v1", "Job")
    assert spec["backoffLimit"] == 0
    assert spec["activeDeadlineSeconds"] == 60
    assert spec["ttlSecondsAfterFinished"] == probes.TTL
    assert spec["template"]["metadata"]["labels"] == {labels.KEY: "k1"}
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert rule["action"] == "Ignore", "a pod that was evicted has failed at nothing"
    pod = spec["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["restartPolicy"] == "Never"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    own = pod["containers"][0]["securityContext"]
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}


def test_what_the_job_says_itself_stays_except_for_the_token() -> None:
    unhardened = job(
        automountServiceAccountToken=True,
        securityContext={"runAsUser": 65532},
        enableServiceLinks=True,
    )
    pod = probes.hardened(unhardened, deadline=5)["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsUser"] == 65532
    assert pod["enableServiceLinks"] is True
    assert unhardened["spec"]["template"]["spec"]["automountServiceAccountToken"] is True


def test_probe_without_a_key_is_a_mistake() -> None:
    unhardened = job()
    unhardened["metadata"]["labels"] = {}
    with pytest.raises(ValueError, match=labels.KEY):
        probes.hardened(unhardened, deadline=5)


@pytest.mark.parametrize("cuts", [True, False])
def test_the_end_of_a_long_log_is_kept_of_what_must_not_be_ended(*, cuts: bool) -> None:
    container = {"name": "app", "image": "example.com/app"}
    job = {
        "kind": "Job",
        "metadata": {"namespace": "default", "name": "a", "uid": "1"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
    waiter = awaiting.Waiter(cast("Any", None), job, cuts=cuts)
    waiter._last = "pod"
    lines = [str(number) for number in range(awaiting.MOST_LINES + 1)]
    if cuts:
        waiter._take("log", ("pod", "app", lines))
        assert waiter._logs["app"] == lines[1:]
        return
    with pytest.raises(errors.Failed, match="log-too-long"):
        waiter._take("log", ("pod", "app", lines))
