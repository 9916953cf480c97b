"""A scaffolded chart is what the policy asks for, whatever the values; rendered by Helm, not read as text."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ruamel.yaml import YAML

from hanbae import errors
from hanbae.argo import hooks
from hanbae.charts import founding, pools, rendering, scaffolding
from hanbae.migrations import declared_databases
from hanbae.policy import documents, loading, naming
from hanbae.repository import trees

GOLDEN = Path(__file__).parents[2] / "golden" / "charts"
DIGEST = f"sha256:{hashlib.sha256(b'an image').hexdigest()}"
SEALED = "AgB" + "x" * 720
TEXT = founding.policy_file("https://git.example.com/shop.git", language="en", one_cluster=True)
POLICY = loading.parse(TEXT.encode(), "hanbae.yaml")[0]
ENVIRONMENTS = ("dev", "staging", "production")
DATABASES = ("identity_db", "auth_db", "legal_db")

IMAGE = f"image: {{repository: 'registry:5000/auth', tag: v1.2.3, digest: '{DIGEST}'}}\n".encode()
NAMED = b"image: {tag: 0.1.0}\n"
SEAL = (
    f"sealedSecret: {{encryptedData: {{DATABASE_URL: {SEALED}, JWT_SECRET: {SEALED}}}}}\n".encode()
)


def write(
    root: Path, service: str = "auth", policy: documents.Policy = POLICY, **more: Any
) -> Path:
    """Scaffold a service on disk; its chart folder."""
    for path, text in scaffolding.chart_files(service, policy, **more).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root / naming.chart(policy, service)


async def render(
    chart: Path,
    *values: bytes,
    environment: str = "dev",
    service: str = "auth",
    image: bytes = NAMED,
) -> list[dict[str, Any]]:
    name = naming.values_file(POLICY, service, environment).name
    release = pools.Release(
        release=naming.release(POLICY, service, "dev"),
        namespace=naming.namespace(POLICY, service, environment),
        values=((chart / name).read_bytes(), image, *values),
    )
    rendered = await rendering.render(trees.WorkingTree(chart.parent), chart.name, release)
    return [manifest.object for manifest in rendered.manifests]


def of(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [manifest for manifest in objects if manifest["kind"] == kind]


def pods(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pod specs with their labels."""
    return [
        manifest["spec"]["template"]
        for manifest in objects
        if "template" in manifest.get("spec", {}) and manifest["kind"] != "SealedSecret"
    ]


def changed(policy: documents.Policy, section: str, **fields: Any) -> documents.Policy:
    part = msgspec.structs.replace(getattr(policy, section), **fields)
    return msgspec.structs.replace(policy, **{section: part})


# --- layout ---


def test_layout_is_the_policy_documents() -> None:
    files = set(scaffolding.chart_files("auth", POLICY))
    chart = {
        "Chart.yaml",
        "values.yaml.example",
        "values-dev.yaml",
        "values-staging.yaml",
        "values-prod.yaml",
        "templates/deployment.yaml",
        "templates/service.yaml",
        "templates/ingress.yaml",
        "templates/hpa.yaml",
        "templates/sealed-secret.yaml",
        "templates/migration-job.yaml",
    }
    assert {f"services/auth/helm/{name}" for name in chart} <= files
    assert {"services/auth/Dockerfile", "services/auth/migrations/00001_baseline.sql"} <= files
    assert "services/auth/helm/values.yaml" not in files


@pytest.mark.parametrize("language", ["en", "ko"])
def test_comments_are_in_the_policys_language_and_nothing_is_left_unfilled(language: str) -> None:
    policy = msgspec.structs.replace(POLICY, language=language)
    text = "\n".join(scaffolding.chart_files("auth", policy, databases=DATABASES).values())
    assert "<<" not in text
    for mark in ("#en", "#ko"):
        assert mark not in text
    assert any("가" <= letter <= "힣" for letter in text) == (language == "ko")


async def test_languages_render_to_the_same_objects(tmp_path: Path) -> None:
    korean = msgspec.structs.replace(POLICY, language="ko")
    first = await render(write(tmp_path / "en"), SEAL)
    assert await render(write(tmp_path / "ko", policy=korean), SEAL) == first


# --- rendering ---


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("scaled", [b"", b"autoscaling: {enabled: true}\n"])
async def test_nothing_runs_until_an_image_is_named(
    tmp_path: Path, environment: str, scaled: bytes
) -> None:
    chart = write(tmp_path)
    manifests = await render(chart, SEAL, scaled, environment=environment, image=b"")
    assert sorted(manifest["kind"] for manifest in manifests) == [
        "SealedSecret",
        "Service",
        "ServiceAccount",
    ]
    for image in (b"image: {tag: '1'}\n", f"image: {{digest: '{DIGEST}'}}\n".encode()):
        manifests = await render(chart, SEAL, scaled, environment=environment, image=image)
        assert {"Deployment", "Job"} <= {manifest["kind"] for manifest in manifests}
        assert ("HorizontalPodAutoscaler" in {manifest["kind"] for manifest in manifests}) is bool(
            scaled
        )


@pytest.mark.parametrize("environment", ENVIRONMENTS)
async def test_chart_renders_from_an_environments_values_alone(
    tmp_path: Path, environment: str
) -> None:
    objects = await render(write(tmp_path), environment=environment)
    assert sorted(manifest["kind"] for manifest in objects) == [
        "Deployment",
        "Job",
        "Service",
        "ServiceAccount",
    ]


@pytest.mark.parametrize(
    ("name", "service", "more", "values"),
    [
        ("auth", "auth", {}, (IMAGE, SEAL)),
        ("identity", "identity", {"databases": DATABASES}, (SEAL,)),
        (
            "everything",
            "auth",
            {},
            (
                IMAGE,
                SEAL,
                b"autoscaling: {enabled: true}\ningress: {enabled: true}\nenv: {A: 1, B: yes}\n",
            ),
        ),
    ],
)
async def test_rendered_chart_is_as_reviewed(
    tmp_path: Path, name: str, service: str, more: dict[str, Any], values: tuple[bytes, ...]
) -> None:
    objects = await render(write(tmp_path, service, **more), *values, service=service)
    golden = GOLDEN / f"{name}.yaml"
    if os.environ.get("HANBAE_UPDATE_GOLDEN"):
        with golden.open("w") as file:
            YAML().dump_all(objects, file)
    assert objects == list(YAML(typ="safe").load_all(golden.read_text()))


async def test_names_and_ports_are_the_contracts(tmp_path: Path) -> None:
    objects = await render(write(tmp_path), SEAL)
    (deployment,), (service,) = of(objects, "Deployment"), of(objects, "Service")
    (account,), (secret,) = of(objects, "ServiceAccount"), of(objects, "SealedSecret")
    names = [manifest["metadata"]["name"] for manifest in (deployment, service, account, secret)]
    assert names == ["auth-service", "auth-service", "auth-service", "auth-secrets"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": 8080}]
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["envFrom"] == [{"secretRef": {"name": "auth-secrets"}}]
    assert service["spec"]["ports"][0]["port"] == 8080


async def test_selectors_catch_the_services_pods_and_no_migration(tmp_path: Path) -> None:
    objects = await render(write(tmp_path))
    (deployment,), (service,), (job,) = (of(objects, k) for k in ("Deployment", "Service", "Job"))
    selector = service["spec"]["selector"].items()
    assert deployment["spec"]["selector"]["matchLabels"].items() == selector
    assert selector <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert not selector <= job["spec"]["template"]["metadata"]["labels"].items()


# --- migrations ---


async def test_migration_job_has_the_policys_settings(tmp_path: Path) -> None:
    (job,) = of(await render(write(tmp_path)), "Job")
    assert job["metadata"]["name"] == "auth-service-migrate"
    spec = job["spec"]
    assert (spec["ttlSecondsAfterFinished"], spec["backoffLimit"]) == (300, 3)
    assert spec["activeDeadlineSeconds"] == 600
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert hooks.phases(job) == ("Sync",)  # Helm's annotations are there too, and do not count
    assert hooks.delete_policies(job) == ("BeforeHookCreation",)
    assert hooks.wave(job) == -5
    annotations = job["metadata"]["annotations"]
    assert annotations["helm.sh/hook"] == "post-install,pre-upgrade"
    assert annotations["helm.sh/hook-weight"] == "-5"
    assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation"
    (container,) = spec["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["memory"]
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}


async def test_url_is_in_no_argument_and_no_shell_is_needed(tmp_path: Path) -> None:
    (job,) = of(await render(write(tmp_path)), "Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["goose"]
    assert container["args"] == [
        "-env=none",
        "-dir",
        "/app/services/auth/migrations",
        "-table",
        "public.goose_db_version",
        "up",
    ]
    assert container["env"] == [
        {"name": "GOOSE_DRIVER", "value": "postgres"},
        {
            "name": "GOOSE_DBSTRING",
            "valueFrom": {"secretKeyRef": {"name": "auth-secrets", "key": "DATABASE_URL"}},
        },
    ]


async def test_databases_are_migrated_in_the_policys_order(tmp_path: Path) -> None:
    chart = write(tmp_path, "identity", databases=DATABASES)
    jobs = sorted(of(await render(chart, service="identity"), "Job"), key=hooks.wave)
    rows = [(hooks.wave(job), job["metadata"]["name"]) for job in jobs]
    assert rows == [
        (-5, "identity-service-migrate-identity-db"),
        (-4, "identity-service-migrate-auth-db"),
        (-3, "identity-service-migrate-legal-db"),
    ]
    labels = [job["spec"]["template"]["metadata"]["labels"]["hanbae.dev/database"] for job in jobs]
    assert labels == list(DATABASES)
    containers = [job["spec"]["template"]["spec"]["containers"][0] for job in jobs]
    assert [c["env"][1]["valueFrom"]["secretKeyRef"]["key"] for c in containers] == [
        "IDENTITY_DATABASE_URL",
        "AUTH_DATABASE_URL",
        "LEGAL_DATABASE_URL",
    ]
    assert [c["args"][2] for c in containers] == [
        f"/app/services/identity/migrations/{name}" for name in DATABASES
    ]


async def test_databases_read_from_values_are_those_of_the_jobs(tmp_path: Path) -> None:
    chart = write(tmp_path, "identity", databases=DATABASES)
    values = YAML(typ="safe").load((chart / "values-dev.yaml").read_text())
    databases = declared_databases.declared(values, "identity", wave=-5)
    assert [(d.name, d.url_key, d.directory, d.wave) for d in databases] == [
        ("identity_db", "IDENTITY_DATABASE_URL", "identity_db", -5),
        ("auth_db", "AUTH_DATABASE_URL", "auth_db", -4),
        ("legal_db", "LEGAL_DATABASE_URL", "legal_db", -3),
    ]


async def test_without_a_list_there_is_the_one_default_database(tmp_path: Path) -> None:
    chart = write(tmp_path)
    (job,) = of(await render(chart, b"migration: {databases: []}\n"), "Job")
    (explicit,) = of(await render(chart), "Job")
    assert job == explicit


async def test_everything_a_job_reads_comes_in_an_earlier_wave(tmp_path: Path) -> None:
    objects = await render(write(tmp_path), SEAL)
    waves = {manifest["kind"]: hooks.wave(manifest) for manifest in objects}
    assert waves["SealedSecret"] < waves["Job"] < waves["Deployment"] == 0
    assert waves["ServiceAccount"] < waves["Job"]
    assert not any(hooks.phases(manifest) for manifest in objects if manifest["kind"] != "Job")


async def test_disabled_migration_leaves_no_job_and_needs_no_secret(tmp_path: Path) -> None:
    objects = await render(write(tmp_path), b"migration: {enabled: false}\n")
    assert not of(objects, "Job")
    (deployment,) = of(objects, "Deployment")
    assert "envFrom" not in deployment["spec"]["template"]["spec"]["containers"][0]


async def test_policys_own_limits_are_written_into_the_chart(tmp_path: Path) -> None:
    policy = changed(POLICY, "migrations", ttl="1h", backoff_limit=0, deadline="90s", wave=-7)
    policy = changed(policy, "rollout", deadline="5m")
    policy = changed(policy, "secrets", wave=-20, scope="namespace-wide")
    objects = await render(write(tmp_path, policy=policy), SEAL)
    (job,), (deployment,), (secret,) = (
        of(objects, k) for k in ("Job", "Deployment", "SealedSecret")
    )
    spec = job["spec"]
    assert (spec["ttlSecondsAfterFinished"], spec["backoffLimit"]) == (3600, 0)
    assert (spec["activeDeadlineSeconds"], hooks.wave(job)) == (90, -7)
    assert deployment["spec"]["progressDeadlineSeconds"] == 300
    assert hooks.wave(secret) == -20
    # Unsealing reads the scope from the object, the Secret gets it from the template.
    mark = "sealedsecrets.bitnami.com/namespace-wide"
    assert secret["metadata"]["annotations"][mark] == "true"
    assert secret["spec"]["template"]["metadata"]["annotations"][mark] == "true"


async def test_presync_is_the_policys_literal_hook(tmp_path: Path) -> None:
    policy = changed(POLICY, "migrations", phase="PreSync")
    (job,) = of(await render(write(tmp_path, policy=policy)), "Job")
    assert hooks.phases(job) == ("PreSync",)


# --- secrets ---


async def test_without_sealed_values_there_is_no_sealed_secret(tmp_path: Path) -> None:
    chart = write(tmp_path)
    for values in (b"", b"sealedSecret: {encryptedData: null}\n"):
        assert not of(await render(chart, values), "SealedSecret")


async def test_sealed_values_reach_the_object_unchanged(tmp_path: Path) -> None:
    (secret,) = of(await render(write(tmp_path), SEAL), "SealedSecret")
    assert secret["apiVersion"] == "bitnami.com/v1alpha1"
    assert secret["spec"]["encryptedData"] == {"DATABASE_URL": SEALED, "JWT_SECRET": SEALED}


async def test_rotated_secret_restarts_pods_and_a_new_image_leaves_it_alone(tmp_path: Path) -> None:
    chart = write(tmp_path)
    rotated = SEAL.replace(b"AgBxx", b"AgByy", 1)

    async def checksum_and_secret(*values: bytes) -> tuple[str, Any]:
        objects = await render(chart, *values)
        (deployment,), (secret,) = of(objects, "Deployment"), of(objects, "SealedSecret")
        annotations = deployment["spec"]["template"]["metadata"]["annotations"]
        return annotations["checksum/sealed-secret"], secret["spec"]

    before, sealed = await checksum_and_secret(SEAL)
    assert (await checksum_and_secret(rotated))[0] != before
    assert await checksum_and_secret(SEAL, IMAGE) == (before, sealed)


@pytest.mark.parametrize("plain", ["postgresql://u:p@h/db", "hunter2", "c2VjcmV0"])
async def test_plaintext_where_ciphertext_belongs_is_refused(tmp_path: Path, plain: str) -> None:
    values = f"sealedSecret: {{encryptedData: {{KEY: '{plain}'}}}}\n".encode()
    with pytest.raises(errors.FileFault):
        await render(write(tmp_path), values)


# --- images ---


@pytest.mark.parametrize(
    ("tag", "digest", "image", "pull", "version"),
    [
        ("v1", "", "r/a:v1", "Always", "v1"),
        ("", DIGEST, f"r/a@{DIGEST}", "IfNotPresent", DIGEST[7:19]),
        ("v1", DIGEST, f"r/a:v1@{DIGEST}", "IfNotPresent", "v1"),
        (f"{'x' * 62}_y", "", f"r/a:{'x' * 62}_y", "Always", "x" * 62),
    ],
)
async def test_image_is_named_by_digest_where_there_is_one(
    tmp_path: Path, *, tag: str, digest: str, image: str, pull: str, version: str
) -> None:
    values = f"image: {{repository: r/a, tag: '{tag}', digest: '{digest}'}}\n".encode()
    objects = await render(write(tmp_path), values)
    containers = [pod["spec"]["containers"][0] for pod in pods(objects)]
    assert [(c["image"], c["imagePullPolicy"]) for c in containers] == [(image, pull)] * 2
    (deployment,) = of(objects, "Deployment")
    assert deployment["metadata"]["labels"]["app.kubernetes.io/version"] == version


async def test_autoscaling_takes_the_replicas_over(tmp_path: Path) -> None:
    chart = write(tmp_path)
    objects = await render(chart, b"autoscaling: {enabled: true, minReplicas: 3}\n")
    (deployment,), (scaler,) = of(objects, "Deployment"), of(objects, "HorizontalPodAutoscaler")
    assert "replicas" not in deployment["spec"]
    assert scaler["spec"]["minReplicas"] == 3
    (fixed,) = of(await render(chart, b"replicas: 0\n"), "Deployment")
    assert fixed["spec"]["replicas"] == 0


# --- pod security ---


@pytest.mark.parametrize("service", ["auth", "identity"])
async def test_every_pod_satisfies_restricted(tmp_path: Path, service: str) -> None:
    """The standard's own list of controls; ``tests/api`` asks a real API server as well."""
    more = {"databases": DATABASES} if service == "identity" else {}
    objects = await render(write(tmp_path, service, **more), SEAL, service=service)
    assert len(pods(objects)) == (4 if service == "identity" else 2)
    for pod in (template["spec"] for template in pods(objects)):
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] != 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert all(volume.keys() == {"name", "emptyDir"} for volume in pod.get("volumes", ()))
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert not any("hostPort" in port for port in container.get("ports", ()))


# --- what is refused ---


@pytest.mark.parametrize(
    "values",
    [
        b"replcas: 2\n",
        b"image: {repository: r/a, tag: 1.10}\n",
        b"image: {repository: r/a, digest: 'sha256:abc'}\n",
        b"service: {name: other, port: 8080}\n",
        b"service: {name: auth, port: 80}\n",
        b"migration: {enabled: 'yes'}\n",
        b"migration: {enabled: true, databases: [{name: a, urlKey: A, dir: '../..', wave: -5}]}\n",
        b"migration: {enabled: true, databases: [{name: a, urlKey: A, dir: '', wave: 0}]}\n",
        b"migration: {enabled: true, databases: [{name: a, urlKey: A, dir: '', wave: -10}]}\n",
        b"env: {'A B': x}\n",
    ],
    ids=lambda values: values.decode().strip(),
)
async def test_values_that_would_fail_later_are_refused_by_the_schema(
    tmp_path: Path, values: bytes
) -> None:
    with pytest.raises(errors.FileFault):
        await render(write(tmp_path), values)


@pytest.mark.parametrize(
    ("service", "more", "text_id"),
    [
        ("Auth", {}, "new.not-a-service"),
        ("1auth", {}, "new.not-a-service"),
        ("auth-", {}, "new.not-a-service"),
        ("../x", {}, "new.not-a-service"),
        ("on", {}, "new.not-a-service"),
        ("auth\n", {}, "new.not-a-service"),
        ("a" * 46, {}, "new.release-too-long"),
        ("auth", {"databases": ["a", "a"]}, "new.database-twice"),
        ("auth", {"databases": ["a-b"]}, "new.not-a-database"),
        ("auth", {"databases": ["a", "b" * 50]}, "new.job-too-long"),
        ("auth", {"databases": list("abcdef")}, "new.too-many-databases"),
        ("auth", {"image": "registry/auth:v1"}, "new.not-an-image"),
        ("auth", {"image": "x\n  y: z"}, "new.not-an-image"),
    ],
)
def test_names_that_kubernetes_would_refuse_are_refused(
    service: str, more: dict[str, Any], text_id: str
) -> None:
    with pytest.raises(errors.WrongUse) as caught:
        scaffolding.chart_files(service, POLICY, **more)
    assert caught.value.text.id == text_id


def test_as_many_databases_as_there_are_waves_before_the_pods() -> None:
    files = scaffolding.chart_files("auth", POLICY, databases=list("abcde"))
    assert "wave: -1" in files["services/auth/helm/values-dev.yaml"]


async def test_the_policys_runner_is_built_and_run(tmp_path: Path) -> None:
    policy = changed(POLICY, "migrations", runner="hanbae-migrate")
    chart = write(tmp_path, policy=policy)
    (job,) = of(await render(chart), "Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["hanbae-migrate"]
    assert container["args"][-1] == "up"
    dockerfile = (chart.parent / "Dockerfile").read_text()
    assert (
        "FROM golang:1.27 AS hanbae-migrate\nWORKDIR /src\nCOPY tools/hanbae-migrate .\n"
        in dockerfile
    )
    assert (
        "COPY --from=hanbae-migrate /go/bin/hanbae-migrate /usr/local/bin/hanbae-migrate\n"
        in dockerfile
    )
    assert "goose@" not in dockerfile
