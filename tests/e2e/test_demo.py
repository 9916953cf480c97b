"""The demo is the main job: what it prints is true, and kubectl and psql show it by themselves."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from tests.support import endpoints, polling, scenes

from hanbae.argo import generating
from hanbae.sandbox import demo_repository

TRIGGERS = {"dev": "automated", "staging": "manual", "production": "manual"}
DATABASES = {
    "auth": ["auth_db"],
    "personal": ["personal_db"],
    "identity": ["identity_db", "auth_db", "legal_db"],
}
PAIRS = [(service, environment) for environment in TRIGGERS for service in DATABASES]


def environment_of(name: str) -> dict[str, str]:
    """What `eval "$(hanbae sandbox env)"` gives a shell."""
    script = 'eval "$1" && exec env -0'
    printed = scenes.hanbae("sandbox", "env", "--name", name)
    assert printed.code == 0, printed.err
    shown = subprocess.run(
        ["sh", "-c", script, "sh", printed.out], capture_output=True, text=True, check=True
    ).stdout
    return dict(line.split("=", 1) for line in shown.split("\0") if line)


def shell(name: str, *command: str) -> str:
    ended = subprocess.run(
        command, env=environment_of(name), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_prints_nine_proven_deployments_and_nothing_else(demo: Any) -> None:
    document = json.loads(demo.ended.out)
    assert list(document) == ["format", "deployments"]
    by_pair = {
        (deployment["service"], deployment["environment"]): deployment
        for deployment in document["deployments"]
    }
    assert sorted(by_pair) == sorted(PAIRS)
    assert len(document["deployments"]) == 9
    for (service, environment), deployment in by_pair.items():
        assert deployment["outcome"] == "succeeded"
        assert deployment["trigger"] == TRIGGERS[environment]
        assert len(deployment["revision"]) == 40
        proofs = [(m["database"], m["files"], m["version"]) for m in deployment["migrations"]]
        assert proofs == [(database, 3, 3) for database in DATABASES[service]]


def test_status_shows_each_service_at_the_head_of_each_branch(demo: Any) -> None:
    clone = demo.sandbox.site.folder.root / "shop"
    kubeconfig = str(demo.sandbox.kubeconfig)
    revisions = {
        (deployment["service"], deployment["environment"]): deployment["revision"]
        for deployment in demo.ended.deployments
    }
    listed: dict[tuple[str, str], tuple[str, str, str]] = {}

    def are_current() -> bool:
        ended = scenes.hanbae("status", "--output", "json", directory=clone, KUBECONFIG=kubeconfig)
        assert ended.code == 0, ended.err
        for entry in json.loads(ended.out)["standings"]:
            pair = entry["service"], entry["environment"]
            listed[pair] = entry["state"], entry["deployed"], entry["outcome"]
        return {state for state, _, _ in listed.values()} == {"current"}

    polling.until(are_current, pause=2, state=lambda: listed)
    assert {pair: deployed for pair, (_, deployed, _) in listed.items()} == revisions
    assert {outcome for _, _, outcome in listed.values()} == {"succeeded"}


def test_kubectl_shows_nine_applications_synced_and_healthy(demo: Any) -> None:
    expected = {
        f"{deployment['service']}-{deployment['environment']}": (
            "Synced",
            "Healthy",
            deployment["revision"],
        )
        for deployment in demo.ended.deployments
    }

    assert len(expected) == 9

    def shown() -> dict[str, tuple[str, str, str]]:
        command = ("kubectl", "get", "applications", "-n", "argocd", "-o", "json")
        return {
            application["metadata"]["name"]: (
                application["status"]["sync"]["status"],
                application["status"]["health"]["status"],
                application["status"]["operationState"]["syncResult"]["revision"],
            )
            for application in json.loads(shell(demo.sandbox.name, *command))["items"]
            # Those of other scenes come and go meanwhile, and have no status at first.
            if application["metadata"]["name"] in expected
        }

    # A readiness probe that fails for a moment, on a busy machine, makes an Application Progressing.
    polling.until(lambda: expected.items() <= shown().items(), pause=1, state=shown)


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_an_overlay_brings_back_what_is_missing_and_then_changes_nothing(
    demo: Any, environment: str
) -> None:
    clone = demo.sandbox.site.folder.root / "shop"
    variables = {"KUBECONFIG": str(demo.sandbox.kubeconfig)}
    quota = ("resourcequota", "services", "-n", f"services-{environment}", "-o", "name")
    shell(demo.sandbox.name, "kubectl", "delete", *quota)

    def overlay(*words: str) -> scenes.Ended:
        return scenes.hanbae("overlay", *words, environment, directory=clone, **variables)

    planned = overlay("plan", "--exit-code")
    assert planned.code == 3, planned.err
    assert "ResourceQuota" in planned.out
    unanswered = overlay("apply")
    assert unanswered.code == 5, "it is not applied where nobody can be asked"
    applied = overlay("apply", "--yes", "--output", "json")
    assert applied.code == 0, applied.err
    outcomes = {
        stored["object"]["kind"]: stored["outcome"] for stored in json.loads(applied.out)["objects"]
    }
    assert outcomes == {
        "Namespace": "unchanged",
        "LimitRange": "unchanged",
        "ResourceQuota": "created",
    }
    assert shell(demo.sandbox.name, "kubectl", "get", *quota).strip() == "resourcequota/services"
    assert overlay("plan", "--exit-code").code == 0


@pytest.mark.parametrize(("service", "environment"), PAIRS)
def test_psql_shows_the_versions(demo: Any, service: str, environment: str) -> None:
    query = "SELECT version_id FROM goose_db_version WHERE is_applied ORDER BY id"
    for database in DATABASES[service]:
        name = f"{environment}_{service}_{database}"
        printed = shell(demo.sandbox.name, "psql", "--no-psqlrc", "-At", "-c", query, name)
        assert printed.split() == ["0", "1", "2", "3"]


@pytest.mark.parametrize(("service", "environment"), PAIRS)
def test_pods_run_the_image_in_git_and_answer(
    scene: Callable[[str], scenes.Scene], service: str, environment: str
) -> None:
    entered = scene(environment)
    digest = entered.values_of(service).get("image.digest")
    pods = entered.pods(service)
    assert len(pods) == (1 if environment == "dev" else 2)
    for pod in pods.values():
        (container,) = pod["spec"]["containers"]
        assert container["image"].endswith(f"@{digest}")

    def ready() -> list[bool]:
        return [
            pod["status"]["containerStatuses"][0]["ready"] for pod in entered.pods(service).values()
        ]

    polling.until(lambda: all(ready()), pause=0.5, state=ready)
    assert json.loads(endpoints.answer(entered, service, "/readyz")) == {"ready": True}
    assert f'shop_ready{{service="{service}"}} 1' in endpoints.answer(entered, service, "/metrics")


@pytest.mark.parametrize(("service", "environment"), PAIRS)
def test_argo_cd_made_the_applications_that_hanbae_says(
    scene: Callable[[str], scenes.Scene], service: str, environment: str
) -> None:
    entered = scene(environment)
    expected = generating.application(entered.shop.policy, service, environment)
    live = entered.operation(service)
    metadata = {key: live["metadata"].get(key) for key in expected["metadata"]}
    assert metadata == expected["metadata"]
    assert normal(live["spec"]) == normal(expected["spec"])


def normal(spec: dict[str, Any]) -> dict[str, Any]:
    """Argo CD leaves a zero out: no retries are written as ``retry: {}``."""
    policy = dict(spec["syncPolicy"])
    retry = {key: value for key, value in policy.pop("retry", {}).items() if value != 0}
    return {**spec, "syncPolicy": {**policy, "retry": retry}}


# Not dev: right after an automated sync Argo CD may heal an object by itself, and its record has only that then.
@pytest.mark.parametrize("environment", ["staging", "production"])
def test_migrations_run_after_the_secret_and_before_the_pods(
    scene: Callable[[str], scenes.Scene], environment: str
) -> None:
    entered = scene(environment)
    resources = entered.operation("identity")["status"]["operationState"]["syncResult"]["resources"]
    names = [
        resource["name"]
        for resource in resources
        if resource["kind"] in {"SealedSecret", "Job", "Deployment"}
    ]
    job = "identity-service-migrate"
    assert names == [
        "identity-secrets",
        f"{job}-identity-db",
        f"{job}-auth-db",
        f"{job}-legal-db",
        "identity-service",
    ]


def test_no_secret_is_in_anything_that_the_demo_left(
    demo: Any, scene: Callable[[str], scenes.Scene]
) -> None:
    """Not in its output, not in the history, not in the repository: searched for as the cluster has them."""
    root = demo.sandbox.site.folder.root
    secrets = set()
    for environment in TRIGGERS:
        entered = scene(environment)
        for service in DATABASES:
            secret = entered.get(
                "secret", f"{service}-secrets", namespace=entered.namespace(service)
            )
            for value in secret["data"].values():
                plain = base64.b64decode(value)
                # Of a URL the password is the secret; the rest is in the policy.
                secrets.add(plain.split(b":")[2].split(b"@")[0] if b"://" in plain else plain)
    assert len(secrets) == 3 + 15
    written = [demo.ended.out.encode(), demo.ended.err.encode()]
    written += scenes.histories(demo.sandbox).values()
    # The repositories of other scenes are pushed into meanwhile.
    for folder in (root / "shop", demo.sandbox.git_folder / "shop.git", root / "logs"):
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                written.append(path.read_bytes())
    assert not [text[:80] for text in written for secret in secrets if secret in text]


@pytest.mark.parametrize("service", DATABASES)
def test_staging_runs_what_was_proven_in_dev(
    scene: Callable[[str], scenes.Scene], service: str
) -> None:
    images = [scene(environment).images(service) for environment in ("dev", "staging")]
    assert images[0] == images[1]


def test_promotion_is_told_with_its_gates_and_committed_with_its_set(
    demo: Any, scene: Callable[[str], scenes.Scene]
) -> None:
    staging = scene("staging")
    message = demo_repository.git(staging.clone, "log", "-1", "--format=%B", "origin/release")
    proven = re.search(r"^Promoted-Set: (\w+)$", message, re.MULTILINE)
    assert proven, message
    assert f"Set {proven[1]}, proven in dev" in demo.ended.err
    assert demo.ended.err.count("checklist: passed 11") == len(DATABASES), demo.ended.err
    heads = demo_repository.git(staging.clone, "rev-parse", "origin/develop", "origin/release^2")
    assert len(set(heads.split())) == 1, "the set is the one that is at dev's head"


def test_demo_narrates_on_stderr_what_goose_said(demo: Any) -> None:
    assert "OK   00003_index_sessions_by_account.sql" in demo.ended.err
    assert "\x1b" not in demo.ended.err
