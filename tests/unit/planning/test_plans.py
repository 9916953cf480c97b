"""Plans are made from a commit and nothing else: the chart that hanbae scaffolds, in a real repository."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hanbae import errors, subjects
from hanbae.charts import scaffolding
from hanbae.planning import deployments
from hanbae.policy import documents
from hanbae.repository import checkouts, revisions, services
from hanbae.results import plans

DIGEST = "sha256:" + "a" * 64
POLICY = documents.Policy(
    version=1,
    argocd=documents.ArgoCD("https://git.example.com/shop.git"),
    environments={
        "dev": documents.Environment(branch="develop", sync="auto", namespace_suffix="-dev"),
        "staging": documents.Environment(branch="release", namespace_suffix="-staging"),
    },
)
Commit = Callable[[], revisions.Revision]


def git(folder: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *words],
        cwd=folder,
        check=True,
        capture_output=True,
    )


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with `identity` (three databases) and `auth` (one), not committed."""
    git(tmp_path, "init", "-q", "-b", "main")
    names = {"auth": [], "identity": ["identity_db", "auth_db", "legal_db"]}
    for service, databases in names.items():
        for path, text in scaffolding.chart_files(service, POLICY, databases=databases).items():
            if not path.endswith(".sql"):
                write(tmp_path, path, text.replace('digest: ""', f'digest: "{DIGEST}"'))
        for database in databases or [""]:
            folder = f"services/{service}/migrations/{database}"
            write(tmp_path, f"{folder}/00001_a.sql", "-- +goose Up\n")
            write(tmp_path, f"{folder}/00002_b.sql", "-- +goose Up\n")
    return tmp_path


@pytest.fixture
def commit(root: Path) -> Commit:
    def committed() -> revisions.Revision:
        git(root, "add", "--all")
        git(root, "commit", "-qm", "x", "--allow-empty")
        return checkouts.Checkout.open(root).revision("HEAD")

    return committed


async def planned(commit: Commit, service: str, environment: str) -> plans.Plan:
    return deployments.plan(await deployments.read(POLICY, commit(), service, environment))


async def test_an_automated_environment_is_followed_and_a_manual_one_synced(commit: Commit) -> None:
    follow = (await planned(commit, "auth", "dev")).steps[0].does
    sync = (await planned(commit, "auth", "staging")).steps[0].does
    assert isinstance(follow, plans.Follow)
    assert isinstance(sync, plans.Sync)
    assert (follow.application, sync.application) == ("auth-dev", "auth-staging")
    assert sync.only == ()
    hook = subjects.Ref("Job", "services-staging", "auth-service-migrate")
    assert sync.hooks == (hook,)


async def test_databases_are_migrated_and_proven_in_the_order_of_their_waves(
    commit: Commit,
) -> None:
    plan = await planned(commit, "identity", "dev")
    assert [step.id for step in plan.steps] == [
        "sync",
        "prove-identity_db",
        "prove-auth_db",
        "prove-legal_db",
    ]
    follow = plan.steps[0].does
    assert isinstance(follow, plans.Follow)
    assert [ref.name.removeprefix("identity-service-migrate-") for ref in follow.hooks] == [
        "identity-db",
        "auth-db",
        "legal-db",
    ]
    proofs = [step.does for step in plan.steps if isinstance(step.does, plans.Prove)]
    assert [proof.hook for proof in proofs] == list(follow.hooks)
    assert {proof.versions for proof in proofs} == {(1, 2)}
    assert all(step.after == ("sync",) for step in plan.steps[1:])


async def test_the_proof_asks_for_the_status_with_only_the_urls_key(commit: Commit) -> None:
    plan = await planned(commit, "identity", "dev")
    proof = plan.steps[1].does
    assert isinstance(proof, plans.Prove)
    pod = proof.job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"][-1] == "status"
    assert "-env=none" in container["args"]
    assert container["args"][container["args"].index("-dir") + 1].endswith("migrations/identity_db")
    variables = {variable["name"]: variable for variable in container["env"]}
    assert set(variables) == {"GOOSE_DRIVER", "GOOSE_DBSTRING"}
    secret = variables["GOOSE_DBSTRING"]["valueFrom"]["secretKeyRef"]
    assert secret == {"name": "identity-secrets", "key": "IDENTITY_DATABASE_URL"}
    assert "envFrom" not in container
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == "identity-service"
    assert pod["imagePullSecrets"] == [{"name": "registry-credentials"}]
    assert proof.job["spec"]["backoffLimit"] == 0
    assert proof.job["spec"]["activeDeadlineSeconds"] > 0
    assert proof.job["spec"]["ttlSecondsAfterFinished"] > 0
    labels = proof.job["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] != "identity", "the Service must not select it"


async def test_the_guards_are_the_branchs_head_and_the_images(commit: Commit) -> None:
    plan = await planned(commit, "auth", "staging")
    head, image = plan.guards
    assert head.promise == "branch-head:release"
    assert len(head.expected) == 40
    assert image.promise == "image:Deployment/services-staging/auth-service:app"
    assert image.expected.endswith(f"@{DIGEST}")


@pytest.mark.parametrize(
    "odd",
    [
        "metadata: {name: odd}",
        "metadata: {name: odd}\nspec: {template: [a]}",
        "metadata: {name: odd}\nspec: {template: {spec: {containers: {a: b}}}}",
        "metadata: {name: odd}\nspec: {template: {spec: {containers: [{image: a}, b]}}}",
    ],
)
async def test_a_workload_of_an_odd_shape_promises_no_image(
    root: Path, commit: Commit, odd: str
) -> None:
    text = f"apiVersion: apps/v1\nkind: Deployment\n{odd}\n"
    write(root, "services/auth/helm/templates/odd.yaml", text)
    plan = await planned(commit, "auth", "staging")
    assert [guard.promise for guard in plan.guards] == [
        "branch-head:release",
        "image:Deployment/services-staging/auth-service:app",
    ]


async def test_what_is_not_committed_does_not_count(root: Path, commit: Commit) -> None:
    revision = commit()
    write(root, "services/auth/migrations/00003_c.sql", "-- +goose Up\n")
    write(root, "services/auth/helm/values.yaml", "migration: {enabled: false}\n")
    plan = deployments.plan(await deployments.read(POLICY, revision, "auth", "dev"))
    proof = plan.steps[1].does
    assert isinstance(proof, plans.Prove)
    assert proof.versions == (1, 2)


async def test_a_service_without_migrations_has_nothing_to_prove(
    root: Path, commit: Commit
) -> None:
    path = root / "services/auth/helm/values-dev.yaml"
    path.write_text(path.read_text().replace("enabled: true", "enabled: false", 1))
    plan = await planned(commit, "auth", "dev")
    assert [step.id for step in plan.steps] == ["sync"]
    assert plan.steps[0].does == plans.Follow("auth-dev", plan.guards[0].expected)


async def test_with_presync_hooks_what_they_read_is_synced_first(
    root: Path, commit: Commit
) -> None:
    job = root / "services/auth/helm/templates/migration-job.yaml"
    job.write_text(job.read_text().replace("hook: Sync", "hook: PreSync"))
    path = root / "services/auth/helm/values-staging.yaml"
    text = path.read_text().replace(
        "encryptedData: {}", 'encryptedData: {DATABASE_URL: "' + "A" * 400 + '"}'
    )
    path.write_text(text)
    plan = await planned(commit, "auth", "staging")
    assert [step.id for step in plan.steps] == ["secrets", "sync", "prove-auth_db"]
    first = plan.steps[0].does
    assert isinstance(first, plans.Sync)
    assert set(first.only) == {
        subjects.Ref("SealedSecret", "services-staging", "auth-secrets"),
        subjects.Ref("ServiceAccount", "services-staging", "auth-service"),
    }
    assert first.hooks == ()
    assert plan.steps[1].after == ("secrets",)


async def test_a_values_file_that_is_not_there_is_named(root: Path, commit: Commit) -> None:
    (root / "services/auth/helm/values-dev.yaml").unlink()
    with pytest.raises(errors.FileFault) as caught:
        await planned(commit, "auth", "dev")
    assert caught.value.text.id == "plan.no-values"
    assert str(caught.value.place) == "services/auth/helm/values-dev.yaml"


@pytest.mark.parametrize(
    ("old", "new", "text_id"),
    [
        ("hanbae.dev/database: {{ $database.name }}", "x: y", None),
        ("            - up\n", "            - status\n", "plan.not-goose-up"),
        ("argocd.argoproj.io/hook: Sync", "x: y", None),
    ],
    ids=["found by its name", "not goose up", "still Helm's hook"],
)
async def test_migration_jobs_are_checked(
    root: Path, commit: Commit, old: str, new: str, text_id: str | None
) -> None:
    job = root / "services/auth/helm/templates/migration-job.yaml"
    assert old in job.read_text()
    job.write_text(job.read_text().replace(old, new))
    if text_id is None:
        assert (await planned(commit, "auth", "dev")).steps[1].id == "prove-auth_db"
        return
    with pytest.raises(errors.FileFault) as caught:
        await planned(commit, "auth", "dev")
    assert caught.value.text.id == text_id


async def test_a_database_without_a_job_or_without_files_is_a_fault(
    root: Path, commit: Commit
) -> None:
    for file in (root / "services/auth/migrations").glob("*.sql"):
        file.unlink()
    with pytest.raises(errors.FileFault) as caught:
        await planned(commit, "auth", "dev")
    assert caught.value.text.id == "plan.no-migrations"
    (root / "services/auth/helm/templates/migration-job.yaml").unlink()
    with pytest.raises(errors.FileFault) as caught:
        await planned(commit, "auth", "dev")
    assert caught.value.text.id == "plan.no-migration-job"


def test_services_are_the_charts_of_the_commit(root: Path, commit: Commit) -> None:
    write(root, "services/notes/README.md", "no chart")
    revision = commit()
    write(root, "services/later/helm/Chart.yaml", "not committed")
    assert services.of(POLICY, revision) == ("auth", "identity")

    def chosen(*names: str) -> tuple[str, ...]:
        return services.chosen(POLICY, revision, names, revision="develop", environment="dev")

    assert chosen("identity", "auth", "identity") == ("identity", "auth")
    assert chosen() == ("auth", "identity")
    with pytest.raises(errors.WrongUse) as caught:
        chosen("nope")
    assert caught.value.text.facts["known"] == "auth, identity"
    assert caught.value.text.facts["source"] == "develop:services/*/helm"
