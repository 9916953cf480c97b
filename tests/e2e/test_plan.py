"""``hanbae plan`` against the real cluster: it says what ``argocd app diff`` says, and reads only."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.support import demos, polling, projects, scenes

from hanbae.argo import authorizing
from hanbae.policy import naming

_HEADER = re.compile(
    r"^===== (?P<group>\S*)/(?P<kind>\S+) (?P<namespace>\S*)/(?P<name>\S+) ======$"
)
CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-settings
data:
  greeting: hello
"""


def reader(scene: scenes.Scene) -> Path:
    """A kubeconfig of somebody who has the environment's ``read`` Roles, and nothing else."""
    kubectl, policy = scene.shop.sandbox.kubectl, scene.shop.policy
    asyncio.run(scene.shop.authorise(scene.environment))
    home = authorizing.namespace(policy, scene.environment)
    name = f"hanbae-read-{authorizing.scope(policy, scene.environment)}"
    account = {"kind": "ServiceAccount", "name": "reader", "namespace": home}
    roles = json.loads(kubectl(["get", "roles", "--all-namespaces", "-o", "json"]))["items"]
    bindings = [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            # Its role cannot be changed, and a second run has another one.
            "metadata": {
                "name": f"reader-{scene.environment}",
                "namespace": role["metadata"]["namespace"],
            },
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Role",
                "name": name,
            },
            "subjects": [account],
        }
        for role in roles
        if role["metadata"]["name"] == name
    ]
    account_object = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "reader", "namespace": home},
    }
    listed = {"apiVersion": "v1", "kind": "List", "items": [account_object, *bindings]}
    kubectl(["apply", "-f", "-"], stdin=json.dumps(listed).encode())
    return scene.shop.sandbox.kubeconfig_of("reader", home)


def planned(scene: scenes.Scene, service: str, *extra: str) -> scenes.Ended:
    """``hanbae plan``, as somebody who may only read."""
    environment = {"KUBECONFIG": str(reader(scene))}
    if scene.token is not None:
        project = naming.project(scene.shop.policy, scene.environment)
        token = projects.Projects(scene.shop.sandbox).token(project, "reader", actions=("get",))
        environment |= {
            "ARGOCD_SERVER": scene.shop.sandbox.argocd.url,
            "ARGOCD_AUTH_TOKEN": token.unmask().decode(),
        }
    return scenes.hanbae(
        "plan",
        service,
        "--env",
        scene.environment,
        "--output",
        "json",
        "--exit-code",
        *extra,
        directory=scene.clone,
        **environment,
    )


def changes(ended: scenes.Ended) -> dict[str, dict[str, Any]]:
    """Object → change, of everything that does not stay as it is."""
    (plan,) = json.loads(ended.out)["plans"]
    return {
        f"{change['object']['kind']}/{change['object']['name']}": change
        for change in plan["plan"]["forecast"]
        if change["outcome"] != "unchanged"
    }


class Argo:
    """The ``argocd`` program, as the administrator."""

    def __init__(self, scene: scenes.Scene) -> None:
        self._sandbox = scene.shop.sandbox
        self._server = self._sandbox.argocd.url.removeprefix("http://")
        self._config = scene.clone.parent / "argocd-of-tests"
        # A diff that ends with 1 leaves its folder and the socket of its gRPC-Web proxy behind.
        self._temporary = scene.clone.parent / "argocd-tmp"
        self._temporary.mkdir(exist_ok=True)
        argocd = self._sandbox.argocd
        self.run(
            "login",
            self._server,
            "--username",
            argocd.username,
            "--password",
            argocd.password.unmask().decode(),
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                str(self._sandbox.binaries.path("argocd")),
                *arguments,
                "--plaintext",
                "--grpc-web",
                "--config",
                str(self._config),
            ],
            env=scenes.clean_environment()
            | {"KUBECTL_EXTERNAL_DIFF": "diff -u", "TMPDIR": str(self._temporary)},
            capture_output=True,
            text=True,
            check=False,
        )

    def knows(self, application: str) -> bool:
        return self.run("app", "get", application).returncode == 0

    def diff(self, application: str, *, server_side: bool = True) -> set[str]:
        """Kind/name of each object in which ``argocd app diff`` sees a difference."""
        flags = ["--server-side-diff"] if server_side else []
        ended = self.run("app", "diff", application, "--refresh", *flags)
        assert ended.returncode in {0, 1}, ended.stderr
        heads = [_HEADER.match(line) for line in ended.stdout.splitlines()]
        objects = {f"{head['kind']}/{head['name']}" for head in heads if head}
        assert bool(objects) == (ended.returncode == 1)
        return objects


def change_everything(scene: scenes.Scene, service: str) -> None:
    """A field becomes another, one goes, one comes, an object is no longer there, a migration is added."""
    templates = scene.clone / naming.chart(scene.shop.policy, service) / "templates"
    deployment = templates / "deployment.yaml"
    text = deployment.read_text()
    begin = text.index("          lifecycle:")
    end = text.index("          resources:", begin)
    deployment.write_text(text[:begin] + text[end:])
    (templates / "config.yaml").write_text(CONFIG.replace("settings", "others"))
    scene.set_environment(service, DATABASE_PASSWORD="c4n4ry-of-plan", COLOUR="green")
    scene.edit(service, {"replicas": 1})
    folder = scene.migrations(service)
    scenes.write_migrations(
        folder, {"00004_plan.sql": ["ALTER TABLE profiles ADD COLUMN plan text;"]}
    )
    scene.build(service, acts_as="personal")
    scene.publish("A change of everything")


def assert_everything_is_told(ended: scenes.Ended, service: str) -> None:
    forecast = changes(ended)
    assert forecast[f"ConfigMap/{service}-service-others"]["outcome"] == "created"
    gone = forecast[f"ConfigMap/{service}-service-settings"]
    assert (gone["outcome"], gone["kept"]) == ("deleted", True)
    change = forecast[f"Deployment/{service}-service"]
    assert change["restarts"]
    fields = {row["path"]: row for row in change["fields"]}
    app = "spec.template.spec.containers[app]"
    assert fields["spec.replicas"]["managers"] == ["argocd-controller"]
    assert fields["spec.replicas"]["new"] == "1"
    assert fields[f"{app}.lifecycle"].get("new") is None
    assert "COLOUR" in fields[f"{app}.env"]["new"]
    assert "@sha256:" in fields[f"{app}.image"]["new"]
    assert "c4n4ry-of-plan" not in ended.out + ended.err
    (plan,) = json.loads(ended.out)["plans"]
    assert plan["compared"] == "argocd"
    assert plan["migrations"][0]["pending"] == [4]
    (hooks,) = [wave["hooks"] for wave in plan["waves"] if wave["hooks"]]
    assert [hook["name"] for hook in hooks] == [f"{service}-service-migrate"]


def appear(scene: scenes.Scene, argo: Argo, application: str) -> None:
    """Have the ApplicationSet look for new services now; by itself it does so every few minutes."""
    policy = scene.shop.policy
    name = naming.application_set(policy, scene.environment)
    refresh = "argocd.argoproj.io/application-set-refresh=true"
    scene.shop.sandbox.kubectl(
        ["annotate", "applicationset", name, refresh, "--overwrite", "-n", policy.argocd.namespace]
    )
    polling.until(lambda: argo.knows(application), pause=0.5)


@pytest.fixture(scope="module")
def planned_for(demo: demos.Demo) -> scenes.Scene:
    """An environment with one service that is deployed."""
    scene = scenes.own(demo.sandbox, "planned", services=("auth",))
    ended = scene.deploy("auth")
    assert ended.code == 0, ended.err
    return scene


@pytest.fixture(params=["kubernetes", "argocd-api"])
def planning(planned_for: scenes.Scene, request: pytest.FixtureRequest) -> scenes.Scene:
    """The environment, once through each transport."""
    planned_for.enter()
    return planned_for.served() if request.param == "argocd-api" else planned_for


def test_plan_says_what_argocd_app_diff_says(
    planning: scenes.Scene, request: pytest.FixtureRequest
) -> None:
    through = request.node.callspec.params["planning"]
    service = f"plan-{'api' if through == 'argocd-api' else 'crd'}"
    scene = planning
    application = f"{service}-{scene.environment}"
    scene.create(service, like="personal")
    scene.seal(service)
    template = scene.clone / naming.chart(scene.shop.policy, service) / "templates/config.yaml"
    template.write_text(CONFIG)
    scene.publish("A service to be planned")
    argo = Argo(scene)

    appear(scene, argo, application)

    # Everything is new.
    first = planned(scene, service)
    assert first.code == 3, first.err
    assert {row["outcome"] for row in changes(first).values()} == {"created"}
    assert changes(first).keys() == argo.diff(application)
    (plan,) = json.loads(first.out)["plans"]
    assert plan["migrations"][0]["pending"] is None

    # Nothing changes.
    deployed = scene.deploy(service)
    assert deployed.code == 0, deployed.err
    same = planned(scene, service)
    assert same.code == 0, same.out
    assert changes(same) == {}
    assert argo.diff(application) == argo.diff(application, server_side=False) == set()
    (plan,) = json.loads(same.out)["plans"]
    (migration,) = plan["migrations"]
    assert (migration["pending"], migration["at"]) == ([], 3)
    assert plan["estimate"]["last"] > 0

    change_everything(scene, service)
    if through == "kubernetes":
        argo.diff(application)  # refreshes; the object alone does not
    ended = planned(scene, service)
    assert ended.code == 3, ended.err
    assert changes(ended).keys() == argo.diff(application)
    assert_everything_is_told(ended, service)

    # And as planned it becomes.
    assert scene.deploy(service).code == 0
    after = planned(scene, service)
    assert after.code == 0, after.out
    assert {name: row["outcome"] for name, row in changes(after).items()} == {
        f"ConfigMap/{service}-service-settings": "deleted"
    }
    assert argo.diff(application) == changes(after).keys()


def test_plan_for_helm_says_that_argo_cd_deploys_this(planned_for: scenes.Scene) -> None:
    planned_for.enter()
    ended = planned(planned_for, "auth", "--engine", "helm")
    assert ended.code == 3, ended.err
    (plan,) = json.loads(ended.out)["plans"]
    (refusal,) = plan["refusals"]
    assert refusal["id"] == "upgrade.argocd-owns"
    refused = planned_for.deploy("auth", "--engine", "helm")
    assert refused.code == 5, refused.err
    # A refusal leaves what is known of the deployment before it.
    (after,) = json.loads(planned(planned_for, "auth").out)["plans"]
    assert [database["at"] for database in after["migrations"]] == [3]


def test_what_somebody_changed_by_hand_is_seen_with_who_did(planned_for: scenes.Scene) -> None:
    staging = planned_for
    staging.enter()
    kubectl, namespace = staging.shop.sandbox.kubectl, staging.namespace("auth")
    kubectl(["scale", "deployment", "auth-service", "--replicas", "1", "-n", namespace])
    try:
        change = changes(planned(staging, "auth"))["Deployment/auth-service"]
    finally:
        kubectl(["scale", "deployment", "auth-service", "--replicas", "2", "-n", namespace])
    (field,) = change["fields"]
    assert (field["path"], field["old"], field["new"]) == ("spec.replicas", "1", "2")
    assert not change["restarts"]
