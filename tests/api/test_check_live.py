"""Applications in a real API server, with Argo CD's real CRDs, against the policy."""

from __future__ import annotations

import asyncio
import copy
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support import polling

from hanbae import errors
from hanbae.actions import init, new_service
from hanbae.argo import generating
from hanbae.checking import live_applications, live_controllers, projects
from hanbae.cli import main
from hanbae.clusters import connections, kinds, leases, writing
from hanbae.policy import naming
from hanbae.rules import casebook
from hanbae.rules.environments import argo
from hanbae.rules.secrets import controllers
from hanbae.sandbox import demo_repository


@pytest.fixture(scope="module")
def control_plane(control_plane: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One of these tests' own: Applications of other tests would be found as well."""
    running = type(control_plane)(tmp_path_factory.mktemp("plane"), control_plane.programs)
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def without_argocd(control_plane: Any, tmp_path_factory: pytest.TempPathFactory) -> BaseException:
    """How a cluster without Argo CD's kinds is refused."""
    root = repository(tmp_path_factory.mktemp("without"))
    check = live_applications.check_live(
        root, environments=["dev"], kubeconfig=control_plane.kubeconfig
    )
    with pytest.raises(errors.Error) as caught:
        asyncio.run(check)
    return caught.value


@pytest.fixture(scope="module")
def argocd(control_plane: Any, without_argocd: BaseException) -> None:
    """Argo CD's kinds, and its namespace."""
    del without_argocd  # it comes first
    definitions = control_plane.programs.argocd_manifests / "crds"
    kubectl(control_plane, "apply", "--server-side", "-k", str(definitions))
    kubectl(control_plane, "create", "namespace", "argocd")


@pytest.fixture(autouse=True)
def nothing_left(control_plane: Any, argocd: None) -> Iterator[None]:
    """No Application of another test."""
    del argocd
    yield
    kubectl(control_plane, "-n", "argocd", "delete", "applications", "--all")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return repository(tmp_path)


def repository(parent: Path) -> Path:
    """A repository of two services, with three environments in one cluster."""
    folder = parent / "clone"
    folder.mkdir()
    init.init(folder, repository="https://git.example.com/shop.git", one_cluster=True)
    for service in ("auth", "personal"):
        new_service.new_service(folder, service)
    return folder


def kubectl(plane: Any, *words: str) -> None:
    program = [str(plane.programs.path("kubectl")), f"--kubeconfig={plane.kubeconfig}"]
    subprocess.run([*program, *words], check=True, capture_output=True)


async def create(cluster: connections.Cluster, manifest: dict[str, Any]) -> None:
    manifest = copy.deepcopy(manifest)
    manifest["metadata"].pop("finalizers", None)

    async def is_created() -> bool:
        try:
            await writing.create(cluster, kinds.APPLICATION, manifest)
        except errors.WrongUse:  # the kind is served a moment after it is created
            return False
        return True

    await polling.reached(is_created, within=30, pause=0.1)


@pytest.mark.parametrize("example", ["fails", "passes", "mutated"])
async def test_rule_finds_its_failing_example_and_leaves_the_passing_one(
    cluster: connections.Cluster,
    control_plane: Any,
    monkeypatch: pytest.MonkeyPatch,
    example: str,
) -> None:
    case = casebook.case(argo.LIVE)
    (change,) = case.passes if example == "passes" else case.fails
    project = projects.project(demo_repository.example())
    for environment in ("dev", "staging", "production"):
        for service in project.services:
            manifest = generating.application(project.policy, service, environment)
            if change.file == f"{manifest['metadata']['name']}.yaml":
                manifest = yaml.safe_load(change.text or "")
            await create(cluster, manifest)
    if example == "mutated":
        monkeypatch.setattr(argo, "live", lambda *_: ())
    findings = await live_applications.of_project(project, kubeconfig=control_plane.kubeconfig)
    places = [(finding.code, f"{finding.place.file}:{finding.place.line}") for finding in findings]
    assert places == ([(argo.LIVE, place) for place in case.at] if example == "fails" else [])


@pytest.mark.parametrize("example", ["fails", "passes", "mutated"])
async def test_an_old_controller_is_found_and_a_new_one_is_not(
    cluster: connections.Cluster,
    control_plane: Any,
    monkeypatch: pytest.MonkeyPatch,
    example: str,
) -> None:
    case = casebook.case(controllers.LIVE)
    (change,) = case.passes if example == "passes" else case.fails
    project = projects.project(demo_repository.example())
    await writing.create(cluster, kinds.DEPLOYMENT, yaml.safe_load(change.text or ""))
    if example == "mutated":
        monkeypatch.setattr(controllers, "live", lambda *_: ())
    try:
        findings = await live_controllers.of_project(project, kubeconfig=control_plane.kubeconfig)
    finally:
        kubectl(control_plane, "-n", "kube-system", "delete", "deployments", "--all")
    places = [f"{finding.place.file}:{finding.place.line}" for finding in findings]
    assert places == (list(case.at) if example == "fails" else [])
    assert {finding.code for finding in findings} <= {controllers.LIVE}


async def test_a_controller_that_may_not_be_looked_at_is_said_not_to_be(
    control_plane: Any, root: Path
) -> None:
    project = projects.project(root)
    findings = await live_controllers.of_project(
        project, "dev", context="nobody", kubeconfig=control_plane.kubeconfig
    )
    assert [(finding.severity, finding.text.id) for finding in findings] == [
        ("notice", "rule.sec023-found-unseen")
    ]


async def drifted(cluster: connections.Cluster, plane: Any, root: Path) -> None:
    """The repository's Applications, of which somebody has changed, deleted and added one each."""
    policy = projects.project(root).policy
    for environment in ("dev", "staging", "production"):
        for service in ("auth", "personal"):
            await create(cluster, generating.application(policy, service, environment))
    assert await live_applications.check_live(root, kubeconfig=plane.kubeconfig) == ()

    # Somebody switches production's automation on by hand, and points it at another branch and namespace.
    patch = (
        '{"spec": {"syncPolicy": {"automated": {}}, "source": {"targetRevision": "develop"},'
        ' "destination": {"namespace": "services-dev"}}}'
    )
    kubectl(
        plane,
        "-n",
        "argocd",
        "patch",
        "application",
        "auth-production",
        "--type=merge",
        f"-p={patch}",
    )
    kubectl(plane, "-n", "argocd", "delete", "application", "personal-dev")
    gone = generating.application(policy, "ledger", "staging")
    await create(cluster, gone)


def test_a_cluster_without_argocd_is_refused(without_argocd: BaseException) -> None:
    assert isinstance(without_argocd, errors.WrongUse)


async def test_applications_in_the_cluster_are_held_against_the_policy(
    cluster: connections.Cluster, control_plane: Any, root: Path
) -> None:
    kubeconfig = control_plane.kubeconfig
    await drifted(cluster, control_plane, root)
    findings = await live_applications.check_live(root, kubeconfig=kubeconfig)
    assert sorted(
        (finding.code, finding.severity, finding.text.id, finding.service, finding.environments)
        for finding in findings
    ) == [
        ("ENV016", "error", "rule.env016-found-branch", "auth", ("production",)),
        ("ENV016", "error", "rule.env016-found-namespace", "auth", ("production",)),
        ("ENV016", "error", "rule.env016-found-sync", "auth", ("production",)),
        ("ENV016", "notice", "rule.env016-found-unknown", "", ("staging",)),
        ("ENV016", "warning", "rule.env016-found-absent", "personal", ("dev",)),
    ]
    assert all(finding.place.file == "hanbae.yaml" and finding.place.line for finding in findings)
    only = await live_applications.check_live(
        root, environments=["dev"], services=["auth"], kubeconfig=kubeconfig
    )
    assert only == ()

    with pytest.raises(errors.Forbidden):
        await live_applications.check_live(root, context="nobody", kubeconfig=kubeconfig)
    with pytest.raises(errors.WrongUse, match=r"environment\.other-platform"):
        await live_applications.check_live(root, environments=["local"], kubeconfig=kubeconfig)
    with pytest.raises(errors.WrongUse, match=r"services\.unknown"):
        await live_applications.check_live(root, services=["ledger"], kubeconfig=kubeconfig)


async def test_command_tells_of_the_cluster_what_was_asked_for_and_not_accepted(
    cluster: connections.Cluster,
    control_plane: Any,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await drifted(cluster, control_plane, root)
    findings = await live_applications.check_live(root, kubeconfig=control_plane.kubeconfig)

    async def run(*words: str) -> tuple[int, set[tuple[str, str]]]:
        """The command, which has an event loop of its own."""
        arguments = ["-C", str(root), "check", "--live", "--output", "json", *words]
        code = await asyncio.to_thread(main.run, arguments)
        shown = json.loads(capsys.readouterr().out)
        findings = [*shown["findings"], *(accepted["finding"] for accepted in shown["accepted"])]
        return code, {
            (finding["text"]["id"], finding.get("service", ""))
            for finding in findings
            if finding["code"] == "ENV016"
        }

    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))
    code, shown = await run()
    assert code == 1
    assert shown == {(finding.text.id, finding.service) for finding in findings}
    _, shown = await run("auth", "--env", "production")
    assert shown == {
        (f"rule.env016-found-{field}", "auth") for field in ("branch", "namespace", "sync")
    }
    _, shown = await run("personal", "--env", "production")
    assert shown == set()

    # A comment beside the line accepts it, as it does any other finding.
    place = next(
        finding.place for finding in findings if finding.text.id == "rule.env016-found-sync"
    )
    lines = (root / "hanbae.yaml").read_text().split("\n")
    lines[place.line - 1] += "  # hanbae: ignore ENV016 switched on for the move"
    (root / "hanbae.yaml").write_text("\n".join(lines))
    arguments = ["-C", str(root), "check", "auth", "--live", "--output", "json"]
    await asyncio.to_thread(main.run, arguments)
    accepted = json.loads(capsys.readouterr().out)["accepted"]
    assert "rule.env016-found-sync" in {
        acceptance["finding"]["text"]["id"] for acceptance in accepted
    }

    assert await asyncio.to_thread(main.run, [*arguments, "--context", "nobody"]) == 4
    assert json.loads(capsys.readouterr().out)["error"]["text"]["id"] == "cluster.forbidden"


async def test_command_asks_the_lease_whether_another_machine_has_applied_a_changed_migration(
    cluster: connections.Cluster,
    control_plane: Any,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """This machine's history knows of nothing; the Lease is everybody's."""
    (migration, *_) = sorted((root / "services" / "auth").rglob("*.sql"))
    migration.write_text("-- +goose Up\nCREATE TABLE first (id int);\n")
    demo_repository.git(root, "init", "--quiet", "--initial-branch", "main")
    demo_repository.git(root, "remote", "add", "origin", "https://git.example.com/shop.git")
    demo_repository.git(root, "add", "--all")
    demo_repository.git(root, "commit", "--quiet", "--message", "The shop")
    commit = demo_repository.git(root, "rev-parse", "HEAD")
    demo_repository.git(root, "update-ref", "refs/remotes/origin/develop", commit)
    migration.write_text("-- +goose Up\nCREATE TABLE mended (id int);\n")

    async def judged() -> tuple[str, str]:
        arguments = ["-C", str(root), "check", "auth", "--live", "--env", "dev", "-o", "json"]
        await asyncio.to_thread(main.run, arguments)
        findings = json.loads(capsys.readouterr().out)["findings"]
        (finding,) = [finding for finding in findings if finding["code"] == "MIG012"]
        return finding["severity"], finding["text"]["id"]

    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))
    monkeypatch.setenv("HANBAE_HISTORY", f"sqlite:///{root.parent}/history.db")
    assert await judged() == ("error", "rule.mig012-found")
    policy = projects.project(root).policy
    namespace, name = naming.namespace(policy, "auth", "dev"), naming.lease("auth", "dev")
    kubectl(control_plane, "create", "namespace", namespace)
    marks = {"deployment": "20261128-093000-others", "revision": commit}
    held = leases.held(cluster, namespace, name, holder="others", marks=marks, over=None)
    async with held as lease:
        assert await judged() == ("error", "rule.mig012-found")
        await lease.release({"outcome": "succeeded"})
    assert await judged() == ("error", "rule.mig012-found-deployed")


async def test_what_only_the_cluster_sets_is_told(
    cluster: connections.Cluster,
    control_plane: Any,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    policy = projects.project(root).policy
    for service in ("auth", "personal"):
        await create(cluster, generating.application(policy, service, "dev"))
    patch = {
        "parameters": [{"name": "image.tag", "value": "hand"}],
        "valuesObject": {"replicas": 7},
        "ignoreMissingValueFiles": True,
    }
    body = json.dumps({"spec": {"source": {"helm": patch}}})
    words = ("-n", "argocd", "patch", "application", "auth-dev", "--type=merge", f"-p={body}")
    kubectl(control_plane, *words)
    (finding,) = await live_applications.check_live(
        root, environments=["dev"], kubeconfig=control_plane.kubeconfig
    )
    assert finding.text.id == "rule.env016-found-override"
    names = "image.tag, replicas, helm.ignoreMissingValueFiles"
    assert finding.text.facts == {"application": "auth-dev", "names": names}

    in_git(root)
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))
    monkeypatch.setenv("XDG_STATE_HOME", str(root.parent / "state"))
    arguments = ["-C", str(root), "--lang", "en", "status", "--env", "dev"]
    assert await asyncio.to_thread(main.run, arguments) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"its Application sets {names} in the cluster alone" in shown
    assert "hanbae plan auth --env dev" in shown
    assert "personal in dev" not in shown
    assert await asyncio.to_thread(main.run, [*arguments, "--output", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["standings"]
    overrides = {row["service"]: row["overrides"] for row in rows}
    assert overrides == {"auth": names.split(", "), "personal": []}


def in_git(root: Path) -> None:
    """The repository as a clone whose remote has the branch of dev."""
    origin = root.parent / "origin"
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    for words in (
        ("init", "--quiet", "--bare", str(origin)),
        ("-C", str(root), "init", "--quiet", "--initial-branch", "develop"),
        ("-C", str(root), "remote", "add", "origin", str(origin)),
        ("-C", str(root), "add", "--all"),
        ("-C", str(root), *identity, "commit", "--quiet", "--message", "first"),
        ("-C", str(root), "push", "--quiet", "origin", "develop"),
    ):
        subprocess.run(["git", *words], check=True, capture_output=True)
