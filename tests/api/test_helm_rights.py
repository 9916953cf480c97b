"""An environment under Helm: the rights that are generated for it suffice for a real Helm, and for little else.

Drift is looked at here as well: a real API server says who manages which field.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.api.deployers import Shop
from tests.support import polling

from hanbae import errors
from hanbae.actions import generate_rbac, init, new_service
from hanbae.clusters import answers, connections, kinds, reading, writing
from hanbae.deploying import helm_drift
from hanbae.engines.helm import jobs, program, records

if TYPE_CHECKING:
    from tests.api.conftest import ControlPlane

Namer = Callable[[str], str]
SPACE, RELEASE = "services-by-helm", "auth-service"
POLICY = "hanbae-secrets-services-by-helm"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: auth-service, labels: {app.kubernetes.io/instance: auth-service}}
spec:
  replicas: 2
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec: {containers: [{name: app, image: example.com/auth:1, env: [{name: COLOR, value: red}]}]}
"""
BUDGET = """\
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: auth-service}
spec: {maxUnavailable: 1, selector: {matchLabels: {a: b}}}
"""
CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: auth-config}
data: {color: red}
"""
OWN_SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: auth-made}
stringData: {color: red}
"""


@pytest.fixture(scope="module")
def shop(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A repository whose one environment Helm deploys, with the rights that are generated for it applied."""
    root = tmp_path_factory.mktemp("by-helm") / "clone"
    root.mkdir()
    init.init(root, repository="https://git.example.com/shop.git", one_cluster=True)
    new_service.new_service(root, "auth")
    policy = root / "hanbae.yaml"
    head, _, rest = policy.read_text().partition("environments:\n")
    other = "\nsecrets:\n" + rest.partition("\nsecrets:\n")[2]
    settings = "{branch: main, engine: helm, values: values-dev.yaml, namespace_suffix: -by-helm}"
    policy.write_text(f"{head}environments:\n  by-helm: {settings}\n{other}")
    templates = root / "services/auth/helm/templates"
    for path in templates.iterdir():
        path.unlink()
    for name, text in chart().items():
        (root / "services/auth/helm" / name).write_bytes(text)
    asyncio.run(generate_rbac.generate_rbac(root))
    shop = Shop(root, control_plane)
    # Tests of other files may come between two of this one, and then this is prepared again.
    if shop.try_("kubectl", "get", "namespace", SPACE).returncode:
        shop.run("kubectl", "create", "namespace", SPACE)
    shop.run("kubectl", "apply", "-k", "k8s/rbac/by-helm")
    return shop


@pytest.fixture
async def deployer(cluster: connections.Cluster, shop: Shop) -> AsyncIterator[connections.Cluster]:
    """A connection as the environment's deployer, with its generated Roles."""
    async with connections.connect(kubeconfig=shop.kubeconfig("by-helm")) as connected:
        yield connected


def chart(*without: str, **more: str) -> dict[str, bytes]:
    """The templates of a chart."""
    texts = {"deployment": DEPLOYMENT, "budget": BUDGET, "config": CONFIG, "secret": OWN_SECRET}
    named = {name: text for name, text in (texts | more).items() if name not in without}
    return {f"templates/{name}.yaml": text.encode() for name, text in named.items()}


async def upgrade(shop: Shop, files: dict[str, bytes], *, by_hand: bool = False) -> None:
    """Have the real Helm install or upgrade the release, as the deployer: for hanbae, or as a person types it."""
    whole = {"Chart.yaml": b"{apiVersion: v2, name: auth, version: 0.1.0}\n", **files}
    async with connections.connect(kubeconfig=shop.kubeconfig("by-helm")) as cluster:
        before = await records.last(cluster, SPACE, RELEASE)
    marks = {} if by_hand else records.marks("d1", "c1", before)
    release = program.Chart(RELEASE, SPACE, whole, (), marks)
    helm = str(shop.plane.programs.path("helm"))
    kubeconfig = shop.kubeconfig("by-helm")
    for dry in (True, False):
        await program.upgrade(helm, release, context="admin", kubeconfig=kubeconfig, dry=dry)


async def installed(cluster: connections.Cluster) -> helm_drift.Installed:
    record = await records.last(cluster, SPACE, RELEASE)
    assert record is not None
    return (await helm_drift.of_releases(cluster, SPACE, {RELEASE: record}))[RELEASE]


async def test_the_deployer_installs_upgrades_takes_away_and_puts_back_by_helm(
    cluster: connections.Cluster, deployer: connections.Cluster, shop: Shop
) -> None:
    await upgrade(shop, chart())
    assert (await installed(deployer)).drifts == ()

    def by_hand(*words: str) -> None:
        shop.run("kubectl", "-n", SPACE, *words)

    await asyncio.to_thread(by_hand, "scale", "deployment", RELEASE, "--replicas", "5")
    await asyncio.to_thread(by_hand, "set", "env", f"deployment/{RELEASE}", "COLOR=blue", "X=new")
    await asyncio.to_thread(by_hand, "delete", "configmap", "auth-config")
    drifts = {drift.object.kind: drift for drift in (await installed(deployer)).drifts}
    assert set(drifts) == {"Deployment", "ConfigMap"}
    changed = drifts["Deployment"]
    assert changed.fields == (
        "spec.replicas",
        "spec.template.spec.containers[app].env[COLOR].value",
    )
    assert changed.author.startswith("kubectl")
    assert changed.at.startswith("20")
    assert drifts["ConfigMap"].is_gone

    await upgrade(shop, chart("budget"))
    assert (await installed(deployer)).drifts == ()
    live = await reading.get(cluster, kinds.DEPLOYMENT, SPACE, RELEASE)
    assert live is not None
    assert live["spec"]["replicas"] == 2, "a change by hand is no conflict after the migrations"
    assert await reading.get(cluster, kinds.PDB, SPACE, RELEASE) is None
    assert await writing.replace(deployer, kinds.DEPLOYMENT, live), "an undo puts a template back"
    record = await records.last(deployer, SPACE, RELEASE)
    assert record is not None
    assert (record.number, record.status) == (2, "deployed")
    assert (record.key, record.revision) == ("d1", "c1")

    await upgrade(shop, chart("budget"), by_hand=True)
    record = await records.last(deployer, SPACE, RELEASE)
    assert record is not None
    secret = await reading.get(deployer, kinds.SECRET, SPACE, record.name)
    assert secret is not None
    assert secret["metadata"]["labels"][records.KEY] == "d1", "Helm hands labels on"
    assert (record.number, record.key, record.revision) == (3, "", "")
    (drift,) = (await installed(deployer)).drifts
    assert (drift.object.kind, drift.revision, drift.status) == ("Release", 3, "")
    await records.forget(deployer, SPACE, record)


async def test_the_deployer_makes_and_ends_hooks_of_any_shape(
    deployer: connections.Cluster, unique: Namer
) -> None:
    pod = {"restartPolicy": "Never", "containers": [{"name": "a", "image": "x"}]}
    metadata = {"name": unique("hook"), "namespace": SPACE}
    manifest = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {"template": {"spec": pod}},
    }
    job = jobs.marked(manifest, namespace=SPACE, release=RELEASE, key="d1")
    await jobs.begin(deployer, job)
    assert await jobs.end(deployer, kinds.ref(job), "d1")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Opaque", "auth-secrets"),
        ("helm.sh/release.v1", "sh.helm.release.v1.other-service.v1"),
        ("Opaque", "sh.helm.release.v1.auth-service.v7"),
    ],
)
async def test_other_secrets_are_neither_made_nor_changed_nor_deleted(
    cluster: connections.Cluster, deployer: connections.Cluster, shop: Shop, kind: str, name: str
) -> None:
    secret = {"type": kind, "metadata": {"name": name, "namespace": SPACE}}
    await _in_force(shop)
    with pytest.raises(answers.Denied, match=POLICY):
        await writing.create(deployer, kinds.SECRET, secret)
    await writing.create(cluster, kinds.SECRET, secret)
    change = {"metadata": {"labels": {"x": "y"}}}
    with pytest.raises(answers.Denied, match=POLICY):
        await writing.merge_patch(deployer, kinds.SECRET, SPACE, name, change)
    with pytest.raises(answers.Denied, match=POLICY):
        await writing.delete(deployer, kinds.SECRET, SPACE, name)
    assert await writing.delete(cluster, kinds.SECRET, SPACE, name)


async def test_what_no_chart_makes_is_out_of_reach(
    deployer: connections.Cluster, unique: Namer
) -> None:
    metadata = {"name": unique("evil"), "namespace": SPACE}
    for kind in (kinds.POD, kinds.PVC, kinds.CRONJOB, kinds.NETWORKPOLICY):
        body: dict[str, Any] = {"metadata": metadata}
        with pytest.raises(errors.Forbidden):
            await writing.create(deployer, kind, body)
    for namespace in ("default", "kube-system", "hanbae-services-by-helm"):
        with pytest.raises(errors.Forbidden):
            await reading.find(deployer, kinds.SECRET, namespace)
        elsewhere = {"metadata": {"name": "x", "namespace": namespace}, "data": {}}
        with pytest.raises(errors.Forbidden):
            await writing.create(deployer, kinds.CONFIGMAP, elsewhere)
    role = kinds.of("rbac.authorization.k8s.io/v1", "Role")
    with pytest.raises(errors.Forbidden):
        await writing.create(deployer, role, {"metadata": metadata})


def test_a_new_kind_in_a_chart_makes_the_files_stale(shop: Shop) -> None:
    added = shop.root / "services/auth/helm/templates/claim.yaml"
    added.write_text("apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\n")
    try:
        changes = asyncio.run(generate_rbac.generate_rbac(shop.root, check=True))
    finally:
        added.unlink()
    stale = [Path(change.path).name for change in changes if change.outcome == "stale"]
    assert stale == ["roles.yaml"]


async def _in_force(shop: Shop) -> None:
    """The API server learns of a policy a moment after it has stored it."""
    who = "--as=system:serviceaccount:hanbae-services-by-helm:hanbae-deployer"
    words = ("create", "secret", "generic", "try", "-n", SPACE, "--dry-run=server", who)

    def refusal() -> str:
        return shop.try_("kubectl", *words, "--as-group=system:authenticated").stderr

    await asyncio.to_thread(
        lambda: polling.until(lambda: POLICY in refusal(), within=30, pause=0.1, state=refusal)
    )
