"""Which cluster each command asks, over each layout: Argo CD's objects in the one, and all else in that of the pods.

The clusters are in memory, and one that nothing leads to, the current one, is nowhere; so a command that asks the wrong
one finds nothing there, or nobody.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest
from ruamel.yaml import YAML
from tests.support import layouts, memory_clusters, sealing, standing_shops

from hanbae.actions import new_service
from hanbae.charts import values
from hanbae.cli import main
from hanbae.clusters import kinds
from hanbae.engines import pod_templates

_IMAGE: Final = "registry.example.com/shop/auth:1.4.2"
_LABELS: Final = {"app.kubernetes.io/name": "auth-service"}

Run = Callable[..., tuple[int, str, str]]


class Shop(standing_shops.Shop):
    """A service that has been begun, with a chart; dev runs a commit that the others do not have.

    Attributes:
        proven: That commit.
    """

    def __init__(self, folder: Path, layout: str) -> None:
        super().__init__(folder, ("auth",), layout=layout)
        (self.root / "services/auth/README.md").write_text("Proven in dev\n")
        standing_shops.git(self.root, "add", "--all")
        standing_shops.git(self.root, "commit", "--quiet", "--message", "Proven in dev")
        standing_shops.git(self.root, "push", "--quiet", "origin", "HEAD:develop")
        self.proven = standing_shops.git(self.root, "rev-parse", "HEAD").strip()

    def stands(self, environment: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The Application of an environment, and the Lease of its last deployment."""
        application = self.application("auth", environment)
        if environment != "dev":
            return application, self.lease("auth", environment)
        application["status"]["sync"]["revision"] = self.proven
        application["status"]["history"][-1]["revision"] = self.proven
        return application, self.lease("auth", environment, revision=self.proven)

    def _write(self, service: str) -> None:
        new_service.new_service(self.root, service, image="registry.example.com/shop/auth")
        folder = self.root / "services" / service
        for path in folder.glob("migrations/*.sql"):
            path.unlink()
        self._migration(service, 1)
        for name in ("dev", "staging", "prod"):
            path = folder / f"helm/values-{name}.yaml"
            with values.editing(path, path.name) as document:
                document.update({("image", "tag"): "1.4.2"})


@dataclass(frozen=True)
class Site:
    """A shop and the clusters that it is in.

    Attributes:
        shop: The shop.
        root: The clone that commands work on.
        clusters: The clusters.
        run: Runs a command on the clone.
    """

    shop: Shop
    root: Path
    clusters: memory_clusters.Clusters
    run: Run

    @property
    def layout(self) -> str:
        """How they belong together."""
        return self.shop.layout

    def argocd(self, *environments: str) -> set[tuple[str, str]]:
        """What is asked where Argo CD's objects of environments are looked at."""
        return {(layouts.control(name, self.layout), "argocd") for name in environments}

    def pods(self, *environments: str) -> set[tuple[str, str]]:
        """What is asked where everything else of environments is looked at."""
        return {(layouts.workload(name, self.layout), "pods") for name in environments}

    def both(self, *environments: str) -> set[tuple[str, str]]:
        """Both."""
        return self.argocd(*environments) | self.pods(*environments)

    def object(self, kind: kinds.Kind, name: str, environment: str = "dev") -> kinds.Object:
        """What the pods' cluster of an environment has in the services' namespace."""
        namespace = layouts.namespace(environment, self.layout)
        context = layouts.workload(environment, self.layout)
        stored = self.clusters.object(context, kind, namespace, name)
        assert stored is not None
        return stored


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Shop]:
    """The shop of each layout, which no test changes."""
    built: dict[str, Shop] = {}

    def of(layout: str) -> Shop:
        if layout not in built:
            built[layout] = Shop(tmp_path_factory.mktemp(layout), layout)
        return built[layout]

    return of


@pytest.fixture
def site(
    shops: Callable[[str], Shop],
    layout: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Site:
    shop = shops(layout)
    argocd = {layouts.control(name, layout) for name in layouts.ENVIRONMENTS}
    clusters = memory_clusters.Clusters(layouts.contexts(layout), argocd)
    for name in layouts.ENVIRONMENTS:
        application, lease = shop.stands(name)
        clusters.put(layouts.control(name, layout), application)
        workload = layouts.workload(name, layout)
        clusters.put(workload, lease, *_running(layouts.namespace(name, layout)))
    current = layouts.contexts(layout)[0] if layout == "one-cluster" else "nowhere"
    kubeconfig = clusters.kubeconfig(tmp_path / "kubeconfig", current)
    standing_shops.as_administrator(monkeypatch, kubeconfig, tmp_path / "state")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Ann")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "ann@example.com")
    clusters.serve(monkeypatch)
    return Site(shop, shop.root, clusters, _runs(shop.root, capsys))


@pytest.fixture
def own_site(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Site:
    """The same with a clone that may be changed."""
    root = tmp_path / "clone"
    shutil.copytree(site.root, root)
    return replace(site, root=root, run=_runs(root, capsys))


def _runs(root: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main.run(["--lang", "en", "-C", str(root), *words])
        captured = capsys.readouterr()
        return code, captured.out, " ".join(captured.err.split())

    return run


def _running(namespace: str) -> Iterator[dict[str, Any]]:
    """The namespace, the Deployment, the templates that it has and had, and its Secret."""
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    yield {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": namespace, "name": "auth-secrets"},
        "data": {"API_KEY": "dmFsdWU="},
    }
    number = "deployment.kubernetes.io/revision"
    metadata = {
        "namespace": namespace,
        "name": "auth-service",
        "uid": "auth",
        "generation": 1,
        "annotations": {number: "2"},
    }
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
    yield {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": _LABELS},
            "template": _template(_IMAGE),
        },
        "status": {"observedGeneration": 1, **counts},
    }
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "auth-service", "uid": "auth"}
    for revision, image in (("1", _IMAGE.replace("1.4.2", "1.4.1")), ("2", _IMAGE)):
        yield {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "namespace": namespace,
                "name": f"auth-service-{revision}",
                "annotations": {number: revision},
                "ownerReferences": [{**owner, "controller": True}],
            },
            "spec": {"replicas": 0, "template": _template(image)},
        }


def _template(image: str) -> dict[str, Any]:
    container = {"name": "app", "image": image}
    return {"metadata": {"labels": _LABELS}, "spec": {"containers": [container]}}


def test_status_looks_at_each_environment_where_it_is(site: Site) -> None:
    code, out, err = site.run("status", "--output", "json")
    assert code == 0, err
    standings = json.loads(out)["standings"]
    assert [(entry["environment"], entry["state"]) for entry in standings] == [
        (name, "current") for name in layouts.ENVIRONMENTS
    ]
    assert site.clusters.contacted() == site.both(*layouts.ENVIRONMENTS)


def test_plan_compares_with_the_clusters_of_its_environment(site: Site) -> None:
    code, out, err = site.run("plan", "auth", "--env", "dev", "--output", "json")
    assert code == 0, err
    assert json.loads(out)
    assert site.clusters.contacted() == site.both("dev")


def test_what_is_held_where_the_pods_are_is_not_deployed(site: Site) -> None:
    place = ("auth", "--env", "staging")
    code, _, err = site.run("hold", "add", *place, "--why", "The login page is slow")
    assert code == 0, err
    assert site.clusters.contacted() == site.pods("staging")
    code, out, err = site.run("hold", "list", "--output", "json")
    assert code == 0, err
    (held,) = json.loads(out)["held"]
    assert (held["environment"], held["holds"][0]["by"]) == ("staging", "ann")
    assert site.clusters.contacted() == site.pods(*layouts.ENVIRONMENTS)
    code, _, err = site.run("deploy", *place, "--yes")
    assert code == 5
    assert "The login page is slow" in err
    assert site.clusters.contacted() == site.both("staging")
    code, _, err = site.run("hold", "lift", *place)
    assert code == 0, err
    assert site.clusters.contacted() == site.pods("staging")


def test_nothing_runs_is_the_answer_of_both_clusters(site: Site) -> None:
    code, _, err = site.run("stop", "auth", "--env", "dev", "--yes")
    assert code == 5, err
    assert site.clusters.contacted() == site.both("dev")
    code, _, err = site.run("attach", "auth", "--env", "dev")
    assert code == 5, err
    assert site.clusters.contacted() == site.pods("dev")


def test_rollouts_are_of_the_cluster_of_the_pods(site: Site) -> None:
    code, _, err = site.run("rollout", "status", "auth", "--env", "staging")
    assert code == 0, err
    code, _, err = site.run("rollout", "restart", "auth", "--env", "staging", "--no-wait")
    assert code == 0, err
    template = site.object(kinds.DEPLOYMENT, "auth-service", "staging")["spec"]["template"]
    assert pod_templates.RESTARTED in template["metadata"]["annotations"]
    assert site.clusters.contacted() == site.pods("staging")
    words = ("auth", "--yes", "--accept-schema", "--no-wait")
    code, _, err = site.run("rollout", "undo", *words, "--env", "staging")
    assert code == 0, err
    template = site.object(kinds.DEPLOYMENT, "auth-service", "staging")["spec"]["template"]
    assert template["spec"]["containers"][0]["image"].endswith(":1.4.1")
    # Argo CD's cluster says whether it would put the pods forward again at once, and whether it syncs.
    assert site.clusters.contacted() == site.both("staging")
    assert site.run("rollout", "undo", *words, "--env", "dev")[0] == 5


def test_next_command_asks_the_cluster_of_the_pods(site: Site) -> None:
    deployment = site.object(kinds.DEPLOYMENT, "auth-service")
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    deployment["status"] |= {"updatedReplicas": 0, "conditions": [late]}
    metadata = {"namespace": layouts.namespace("dev", site.layout), "name": "auth-service-2-a"}
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "auth-service-2"}
    uid = site.object(kinds.REPLICASET, "auth-service-2")["metadata"]["uid"]
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off"}
    state = {"name": "app", "restartCount": 3, "state": {"waiting": waiting}}
    site.clusters.put(
        layouts.workload("dev", site.layout),
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                **metadata,
                "ownerReferences": [{**owner, "uid": uid, "controller": True}],
            },
            "spec": {"containers": [{"name": "app", "image": _IMAGE}]},
            "status": {"phase": "Running", "containerStatuses": [state]},
        },
    )
    code, _, err = site.run("rollout", "status", "auth", "--env", "dev")
    assert code == 1, err
    shown = f"kubectl logs auth-service-2-a -n {metadata['namespace']} -c app --previous"
    context = "" if site.layout == "one-cluster" else " --context dev"
    assert f"{shown}{context} " in f"{err} "


def test_doctor_looks_into_both_clusters(site: Site) -> None:
    code, out, err = site.run("doctor", "auth", "--env", "dev", "--output", "json")
    assert code in {0, 1}, err
    assert json.loads(out)["unreached"] == []
    assert site.clusters.contacted() == site.both("dev")


def test_platform_layer_is_in_the_cluster_of_the_pods(site: Site) -> None:
    code, out, err = site.run("overlay", "plan", "dev", "--output", "json")
    assert code == 0, err
    # The namespace of the services is there already, and lacks the labels.
    assert {change["outcome"] for change in json.loads(out)["forecast"]} == {"changed", "created"}
    code, _, err = site.run("overlay", "apply", "dev", "--yes")
    assert code == 0, err
    assert site.clusters.contacted() == site.pods("dev")
    code, out, err = site.run("overlay", "plan", "dev", "--output", "json")
    assert {change["outcome"] for change in json.loads(out)["forecast"]} == {"unchanged"}


def test_checklist_is_decided_in_the_clusters_of_its_environment(site: Site) -> None:
    phase = ("--phase", "before", "--output", "json")
    code, out, err = site.run("checklist", "run", "auth", "--env", "dev", *phase)
    assert code in {0, 1}, err
    assert json.loads(out)["phases"]
    assert site.clusters.contacted() == site.both("dev")
    words = ("auth", "image-pushed", "--env", "dev", "--why", "The registry is away")
    code, _, err = site.run("checklist", "waive", *words)
    assert code == 0, err
    code, _, err = site.run("checklist", "attest", *words)
    assert code == 2, "a gate decides it"
    assert site.clusters.contacted() == site.pods("dev")


def test_way_back_is_looked_for_in_the_clusters_of_its_environment(site: Site) -> None:
    workload = layouts.workload("staging", site.layout)
    site.clusters.put(workload, site.shop.lease("auth", "staging", revision=site.shop.head))
    words = ("--revision", site.shop.deployed, "--dry-run", "--output", "json")
    code, out, err = site.run("rollback", "auth", "--env", "staging", *words)
    # The commit that is gone back to is planned, and the Secret that it lacks is looked for.
    assert (code, json.loads(out)["error"]["text"]["id"]) == (5, "preflight.secret-keys-missing"), (
        err
    )
    assert site.clusters.contacted() == site.both("staging")


def test_promotion_asks_the_clusters_of_both_environments(site: Site) -> None:
    words = ("--from", "dev", "--to", "staging", "--dry-run", "--output", "json")
    code, out, err = site.run("promote", *words)
    assert code == 0, err
    assert json.loads(out)["promotion"]["proven"]["commit"] == site.shop.proven
    assert site.clusters.contacted() == site.both("dev") | site.pods("staging")


def test_databases_are_known_from_the_cluster_of_the_pods(site: Site) -> None:
    words = ("auth", "--env", "dev", "--output", "json")
    planned = site.run("migrations", "plan", *words)
    for code, out, err in (planned, site.run("migrations", "status", *words)):
        assert code == 0, err
        assert json.loads(out)["plans"]
    assert site.clusters.contacted() == site.pods("dev")


def test_applications_are_compared_in_argo_cds_cluster(site: Site) -> None:
    code, out, err = site.run("check", "--live", "--env", "dev", "--output", "json")
    assert code in {0, 1}, err
    assert json.loads(out)
    assert site.clusters.contacted() == site.both("dev")


@pytest.mark.parametrize("layout", ["hub"])
def test_a_check_goes_on_where_only_argo_cds_cluster_is_known(
    own_site: Site, tmp_path: Path
) -> None:
    site = own_site
    policy = site.root / "hanbae.yaml"
    text, store = policy.read_text(), "external-secrets\n  store: ClusterSecretStore/shop\n"
    assert "provider: sealed-secrets\n" in text
    policy.write_text(text.replace("sealed-secrets\n", store))
    kubeconfig = tmp_path / "kubeconfig"
    document = json.loads(kubeconfig.read_text())
    document["contexts"] = [entry for entry in document["contexts"] if entry["name"] == "hub"]
    kubeconfig.write_text(json.dumps(document))
    code, _, err = site.run("check", "--live", "--env", "dev")
    assert code in {0, 1}, err
    assert "not asked what they serve: dev." in err
    assert site.clusters.contacted() == site.argocd("dev")


def test_who_has_deployed_a_changed_migration_is_asked_in_the_cluster_of_the_pods(
    own_site: Site,
) -> None:
    site = own_site
    path = min((site.root / "services/auth/migrations").glob("*.sql"))
    up = "-- +goose Up\n"
    path.write_text(path.read_text().replace(up, f"{up}SELECT 2;\n"))
    code, out, err = site.run("check", "--live", "--env", "dev", "--output", "json")
    assert code == 1, err
    assert "MIG012" in {finding["code"] for finding in json.loads(out)["findings"]}
    contexts = {r.context for r in site.clusters.requests if "/leases/" in r.path}
    assert contexts == {layouts.workload("dev", site.layout)}


def test_what_an_operator_fetches_is_asked_in_the_cluster_of_the_pods(own_site: Site) -> None:
    site = own_site
    external: dict[str, Any] = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "auth-more"},
        "spec": {
            "secretStoreRef": {"kind": "ClusterSecretStore", "name": "shop"},
            "data": [{"secretKey": "MAIL_URL", "remoteRef": {"key": "auth", "property": "mail"}}],
        },
    }
    template = site.root / "services/auth/helm/templates/external.yaml"
    template.write_text(json.dumps(external))
    namespace = layouts.namespace("dev", site.layout)
    condition = {"type": "Ready", "status": "True", "reason": "SecretSynced"}
    live = external | {
        "metadata": {"namespace": namespace, "name": "auth-more", "generation": 1},
        "status": {"conditions": [condition], "syncedResourceVersion": "1-abc"},
    }
    site.clusters.put(layouts.workload("dev", site.layout), live)
    words = ("secrets", "verify", "auth", "--live", "--env", "dev", "--output", "json")
    _, out, err = site.run(*words)
    states = {row["key"]: row["state"] for row in json.loads(out)["keys"]}
    assert states["MAIL_URL"] == "fetched", err
    assert site.clusters.contacted() == site.pods("dev")


def test_a_check_of_nothing_asks_no_cluster(site: Site) -> None:
    code, _, err = site.run("check", "--live", "--changed-since", "HEAD")
    assert code == 0, err
    assert site.clusters.contacted() == set()


def test_secrets_are_sealed_for_and_opened_in_the_cluster_of_the_pods(own_site: Site) -> None:
    site = own_site
    code, _, err = site.run("secrets", "import", "auth", "--env", "dev", "--from-cluster")
    assert code == 0, err
    path = site.root / "services/auth/helm/values-dev.yaml"
    sealed = YAML(typ="safe").load(path.read_text())["sealedSecret"]["encryptedData"]["API_KEY"]
    key = site.clusters.keys[layouts.workload("dev", site.layout)]
    label = f"{layouts.namespace('dev', site.layout)}/auth-secrets"
    assert sealing.unsealed(sealed, key, label) == b"value"
    code, out, err = site.run("secrets", "verify", "--live", "--env", "dev", "--output", "json")
    states = {row["key"]: row["state"] for row in json.loads(out)["keys"]}
    assert states["API_KEY"] == "opened", err
    code, _, err = site.run("secrets", "reseal", "auth", "--env", "dev")
    assert code == 0, err
    assert site.clusters.contacted() == site.pods("dev")
