"""What ``hanbae generate rbac`` writes, on a real API server: as the deployer hanbae can do its work, and nothing else.

Argo CD's and Kubernetes' controllers do not run here; the tests write the statuses that they would.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML
from tests.api.deployers import (
    DEPLOYER,
    ENVIRONMENTS,
    Shop,
    anybodys,
    application,
    asking,
    await_kinds,
    await_policies,
    by,
    patch,
    proof,
    read,
    say,
    sync_operation,
)
from tests.support import applications as samples

from hanbae import errors, subjects
from hanbae.actions import generate_argocd, generate_rbac, init, new_service
from hanbae.argo import admitting, authorizing, generating, operations
from hanbae.clusters import (
    answers,
    connections,
    kinds,
    leases,
    logs,
    probes,
    reading,
    service_proxies,
    watching,
    writing,
)
from hanbae.engines.argocd import application_handles
from hanbae.engines.argocd import engine as argocd
from hanbae.planning import proofs
from hanbae.results import events, plans

if TYPE_CHECKING:
    from tests.api.conftest import ControlPlane

Namer = Callable[[str], str]
RELEASE = {"app.kubernetes.io/instance": "auth-service"}
GROUP = "shop:deployers"
FORBIDDEN: dict[str, dict[str, list[Any]]] = YAML(typ="safe").load(
    Path(__file__).with_name("forbidden_writes.yaml")
)


@pytest.fixture(scope="module")
def control_plane(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    """One of its own: what is applied here to the whole cluster is not for the other tests."""
    running = type(control_plane)(tmp_path_factory.mktemp("plane"), control_plane.programs)
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def shop(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Three environments in one cluster, with everything applied that hanbae generates for them."""
    root = tmp_path_factory.mktemp("shop") / "clone"
    root.mkdir()
    init.init(root, repository="https://git.example.com/shop.git", one_cluster=True)
    for service in ("auth", "personal"):
        new_service.new_service(root, service)
    with (root / "services/auth/helm/values-dev.yaml").open("a") as file:
        file.write("\nsmoke:\n  - path: /healthz\n")
    generate_argocd.generate_argocd(root)
    asyncio.run(generate_rbac.generate_rbac(root))
    asyncio.run(generate_rbac.generate_rbac(root, environments=["production"], groups=[GROUP]))
    shop = Shop(root, control_plane)
    crds = control_plane.programs.argocd_manifests / "crds"
    sealed = control_plane.programs.sealed_secrets_chart / "crds"
    shop.run("kubectl", "apply", "--server-side", "--force-conflicts", "-k", str(crds))
    shop.run("kubectl", "apply", "--server-side", "--force-conflicts", "-f", str(sealed))
    await_kinds(shop, {"applications", "applicationsets", "appprojects", "sealedsecrets"})
    if shop.try_("kubectl", "get", "namespace", "argocd").returncode:
        shop.run("kubectl", "create", "namespace", "argocd")
    for environment in ENVIRONMENTS:
        shop.run("kubectl", "apply", "-k", f"k8s/overlays/{environment}")
        shop.run("kubectl", "apply", "-k", f"k8s/argocd/{environment}")
        shop.run("kubectl", "apply", "-k", f"k8s/rbac/{environment}")
    # Somebody was too generous: in staging the admission policies are all that is left.
    shop.run(
        "kubectl", "create", "clusterrolebinding", "too-generous",
        "--clusterrole=cluster-admin", f"--user={DEPLOYER.format('staging')}",
    )  # fmt: skip
    for environment in ENVIRONMENTS:
        await_policies(shop, environment)
    return shop


@pytest.fixture(scope="module")
def kubeconfigs(shop: Shop) -> dict[str, Path]:
    return {environment: shop.kubeconfig(environment) for environment in ENVIRONMENTS}


@pytest.fixture
async def deployer(
    cluster: connections.Cluster, kubeconfigs: dict[str, Path]
) -> AsyncIterator[connections.Cluster]:
    """A connection as dev's deployer, with its generated Roles."""
    async with connections.connect(kubeconfig=kubeconfigs["dev"]) as connected:
        yield connected


@pytest.fixture
async def generous(
    cluster: connections.Cluster, kubeconfigs: dict[str, Path]
) -> AsyncIterator[connections.Cluster]:
    """A connection as staging's deployer, whom somebody has made an administrator."""
    async with connections.connect(kubeconfig=kubeconfigs["staging"]) as connected:
        yield connected


# What hanbae does


async def test_the_deployer_starts_and_ends_operations_and_asks_for_refreshes(
    cluster: connections.Cluster, deployer: connections.Cluster, shop: Shop
) -> None:
    ref = await application(cluster, shop, operationState=samples.state("Failed"))
    argo = application_handles.Application(deployer, ref)
    assert (await argo.existing())["metadata"]["name"] == ref.name
    refreshed = await argo.refresh()
    assert refreshed["metadata"]["annotations"]["argocd.argoproj.io/refresh"] == "normal"
    does = plans.Sync(ref.name, samples.REVISION)
    started = await argo.ask(does, "d1.sync", by("dev"))
    assert started["operation"]["info"] == [{"name": "hanbae", "value": "d1.sync"}]
    assert "operationState" not in started["status"]
    # Taken back before it has begun, and terminated once it runs.
    assert await argo.terminate(lambda operation: operation.key == "d1.sync")
    assert "operation" not in await read(cluster, ref)
    await argo.ask(does, "d2.sync", by("dev"))
    operation = (await read(cluster, ref))["operation"]
    await patch(
        cluster, ref, {"status": {"operationState": samples.state("Running", of=operation)}}
    )
    ending = asyncio.create_task(argo.terminate(lambda operation: operation.key == "d2.sync"))
    await until(cluster, ref, lambda live: phase(live) == "Terminating")
    ended = samples.state("Failed", of=operation)
    await patch(cluster, ref, {"operation": None, "status": {"operationState": ended}})
    assert await ending


async def test_what_a_migration_reads_may_be_synced_first(
    cluster: connections.Cluster, deployer: connections.Cluster, shop: Shop
) -> None:
    ref = await application(cluster, shop)
    names = {"SealedSecret": "auth-secrets", "ServiceAccount": "auth-service", "ConfigMap": "auth"}
    only = tuple(subjects.Ref(kind, "services-dev", name) for kind, name in names.items())
    argo = application_handles.Application(deployer, ref)
    does = plans.Sync(ref.name, samples.REVISION, only=only)
    started = await argo.ask(does, "d1.secrets", by("dev"))
    resources = started["operation"]["sync"]["resources"]
    assert {resource["kind"]: resource["name"] for resource in resources} == names


async def test_an_application_of_four_hundred_objects_is_not_too_dear_to_judge(
    cluster: connections.Cluster, deployer: connections.Cluster, shop: Shop
) -> None:
    results = [samples.result("Deployment", f"web-{n}", message="m" * 200) for n in range(400)]
    fields = ("group", "version", "kind", "namespace", "name", "status")
    resources = [{name: result[name] for name in fields} for result in results]
    state = samples.state("Succeeded", results=results)
    entry = {
        "revision": samples.REVISION,
        "deployedAt": samples.STARTED,
        "source": {"repoURL": "x"},
    }
    history = [entry | {"id": n} for n in range(10)]
    ref = await application(
        cluster, shop, operationState=state, resources=resources, history=history
    )
    argo = application_handles.Application(deployer, ref)
    await argo.refresh()
    await argo.ask(plans.Sync(ref.name, samples.REVISION), "d1.sync", by("dev"))
    live = await read(cluster, ref)
    running = state | {"phase": "Running", "operation": live["operation"]}
    await patch(cluster, ref, {"status": {"operationState": running}})
    ended = operations.terminating(await read(cluster, ref))
    written = await writing.replace(deployer, kinds.APPLICATION, ended)
    assert phase(written) == "Terminating"


async def test_the_deployer_follows_a_whole_deployment_and_is_blind_to_nothing(
    cluster: connections.Cluster, deployer: connections.Cluster, shop: Shop
) -> None:
    ref = await application(cluster, shop)
    secret = {"metadata": {"name": "auth-secrets", "namespace": "services-dev"}}
    await writing.create(cluster, kinds.SECRET, secret | {"stringData": {"TOKEN": "canary-1234"}})
    target = argocd.Target(ref.name, "argocd", "services-dev", "auth-service", "auth-secrets")
    through = application_handles.Application(deployer, ref)
    engine = argocd.ArgoCD(through, deployer, target, by=by("dev"))
    hook = subjects.Ref("Job", "services-dev", "auth-service-migrate")
    operation = await engine.begin(plans.Sync(ref.name, samples.REVISION, hooks=(hook,)), "d9.sync")
    async with (
        asyncio.timeout(60),
        asyncio.TaskGroup() as group,
        engine.follow(operation) as stream,
    ):
        group.create_task(world(cluster, ref, shop))
        facts = [fact async for fact in stream]
    notices = [fact.text for fact in facts if isinstance(fact, events.Noted)]
    assert [text.id for text in notices] == [], "nothing was forbidden"
    states = [(f.on.kind, f.state) for f in facts if isinstance(f, events.Observed)]
    assert ("Application", "Succeeded") in states
    assert ("Deployment", "Complete") in states
    assert engine.redact("canary-1234") != "canary-1234", "it has read the service's Secret"


async def test_the_deployer_claims_its_own_applications_and_no_others(
    deployer: connections.Cluster, shop: Shop
) -> None:
    assert shop
    ours = leases.held(
        deployer,
        "services-dev",
        "hanbae-auth-dev",
        holder="a",
        marks={"deployment": "d1"},
        over=None,
    )
    async with ours as lease:
        await lease.mark(step="sync")
        (lease_of_d1,) = await leases.find(deployer, "services-dev", "d1")
        assert lease_of_d1.marks["step"] == "sync"
        await leases.mark(deployer, lease_of_d1, {"stop": "somebody"})
        await lease.release({"outcome": "succeeded"})
    other = leases.held(deployer, "services-dev", "some-election", holder="a", marks={}, over=None)
    async with other as lease:
        # RBAC knows no name when something is created; what is there is not touched.
        with pytest.raises(errors.Forbidden) as denied:
            await lease.mark(step="sync")
    assert "some-election" in str(denied.value)


async def world(cluster: connections.Cluster, ref: subjects.Ref, shop: Shop) -> None:
    """What happens in a manual sync: a hook runs, a Deployment is applied and rolls out."""
    operation = (await until(cluster, ref, lambda live: "operation" in live))["operation"]
    running = samples.state("Running", of=operation)
    await patch(cluster, ref, {"status": {"operationState": running}})
    job = shop.migration("auth")
    job["metadata"]["namespace"] = "services-dev"
    await writing.create(cluster, kinds.JOB, job)
    pod = job["spec"]["template"]["spec"] | {"restartPolicy": "Always"}
    pod.pop("serviceAccountName")
    metadata = {"name": "auth-service", "namespace": "services-dev", "labels": RELEASE}
    template = {"metadata": {"labels": RELEASE}, "spec": pod}
    spec = {"selector": {"matchLabels": RELEASE}, "template": template}
    deployment = await writing.create(
        cluster, kinds.DEPLOYMENT, {"metadata": metadata, "spec": spec}
    )
    counts = ("replicas", "updatedReplicas", "availableReplicas", "readyReplicas")
    complete = dict.fromkeys(counts, 1) | {
        "observedGeneration": deployment["metadata"]["generation"]
    }
    await say(cluster, kinds.DEPLOYMENT, "services-dev", "auth-service", complete)
    results = [
        samples.result("Job", job["metadata"]["name"], hook="Sync"),
        samples.result("Deployment", "auth-service"),
    ]
    ended = samples.state("Succeeded", of=operation, results=results)
    health = {"health": {"status": "Healthy"}}
    await patch(cluster, ref, {"operation": None, "status": {"operationState": ended, **health}})


async def until(
    cluster: connections.Cluster, ref: subjects.Ref, is_so: Callable[[kinds.Object], bool]
) -> kinds.Object:
    kind, field = kinds.named(ref.kind), f"metadata.name={ref.name}"
    stream = watching.watch(cluster, kind, ref.namespace, field_selector=field)
    async with asyncio.timeout(20), aclosing(stream):
        async for change in stream:
            if is_so(change.object):
                return change.object
    raise AssertionError(ref)


def phase(application: kinds.Object) -> str:
    return str(((application.get("status") or {}).get("operationState") or {}).get("phase"))


async def test_the_deployer_proves_migrations(
    cluster: connections.Cluster, deployer: connections.Cluster, shop: Shop, unique: Namer
) -> None:
    job = proof(shop, unique("d1"))
    running = asyncio.create_task(probes.run_to_end(deployer, job, deadline=30))
    ref = subjects.Ref("Job", "services-dev", job["metadata"]["name"])
    await until(cluster, ref, lambda _: True)
    now = "2026-11-23T11:00:00Z"
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": now, "reason": "CompletionsReached"}
        for kind in ("SuccessCriteriaMet", "Complete")
    ]
    ended = {"conditions": conditions, "succeeded": 1, "startTime": now, "completionTime": now}
    await say(cluster, kinds.JOB, "services-dev", ref.name, ended)
    assert (await running).succeeded
    assert await reading.get(cluster, kinds.JOB, "services-dev", ref.name) is None, "it deleted it"


@pytest.mark.parametrize("program", ["hanbae-migrate", "/usr/local/bin/hanbae-migrate"])
async def test_the_deployer_proves_migrations_of_the_policys_runner(
    deployer: connections.Cluster, shop: Shop, unique: Namer, program: str
) -> None:
    job = asking(shop, unique("d1"))
    for container in job["spec"]["template"]["spec"]["containers"]:
        container["command"] = [program]
    assert await writing.create(deployer, kinds.JOB, job)
    await writing.delete(deployer, kinds.JOB, "services-dev", job["metadata"]["name"])


async def test_the_deployer_takes_migrations_back_as_far_as_one_is_left(
    deployer: connections.Cluster, shop: Shop, unique: Namer
) -> None:
    asking = proof(shop, unique("d1"))
    job = changed(asking, "spec", proofs.way_back(asking, 3, deadline=600)["spec"])
    assert job["spec"]["template"]["spec"]["containers"][0]["args"][-2:] == ["down-to", "3"]
    assert await writing.create(deployer, kinds.JOB, job)
    await writing.delete(deployer, kinds.JOB, "services-dev", job["metadata"]["name"])
    with pytest.raises(ValueError, match="0"):
        proofs.way_back(asking, 0, deadline=600)


async def test_the_deployer_asks_who_and_where_it_is_and_for_the_certificate(
    cluster: connections.Cluster, deployer: connections.Cluster
) -> None:
    assert await reading.identity(deployer) == DEPLOYER.format("dev")
    assert (await reading.version(deployer)).startswith("v1.")
    assert await reading.uid(deployer) == await reading.uid(cluster)
    controller = {
        "metadata": {"name": "sealed-secrets-controller", "namespace": "kube-system"},
        "spec": {"ports": [{"name": "http", "port": 8080}]},
    }
    await writing.create(cluster, kinds.SERVICE, controller)
    with pytest.raises(errors.Unreachable) as caught:  # nothing stands behind it, and that is said
        await reading.service_get(
            deployer, "kube-system", "sealed-secrets-controller", "/v1/cert.pem"
        )
    assert caught.value.text.id == "cluster.service-silent"


async def test_the_deployer_asks_only_the_services_whose_charts_list_what_must_answer(
    cluster: connections.Cluster, deployer: connections.Cluster
) -> None:
    for name in ("auth-service", "personal-service"):
        ports = [{"name": "http", "port": 80}, {"name": "admin", "port": 81}]
        service = {
            "metadata": {"name": name, "namespace": "services-dev"},
            "spec": {"ports": ports},
        }
        await writing.create(cluster, kinds.SERVICE, service)
    with pytest.raises((errors.Unreachable, answers.Missing)) as caught:
        await service_proxies.request(deployer, "services-dev", "auth-service", "http", "/healthz")
    assert not isinstance(caught.value, errors.Forbidden), "it may, and nothing stands behind it"
    for service, port in (("auth-service", "admin"), ("personal-service", "http")):
        with pytest.raises(errors.Forbidden):
            await service_proxies.request(deployer, "services-dev", service, port, "/healthz")
    with pytest.raises(errors.Forbidden):  # a GET, and nothing that changes something
        await service_proxies.request(
            deployer, "services-dev", "auth-service", "http", "/", content=b"{}"
        )


async def test_the_deployer_asks_its_own_applicationset_to_look(
    cluster: connections.Cluster, deployer: connections.Cluster, shop: Shop
) -> None:
    ref = subjects.Ref("ApplicationSet", "argocd", "services-dev")
    asks = {"argocd.argoproj.io/application-set-refresh": "true"}
    await patch(deployer, ref, {"metadata": {"annotations": asks}})
    assert asks.items() <= (await read(cluster, ref))["metadata"]["annotations"].items()
    other = subjects.Ref("ApplicationSet", "argocd", "services-production")
    with pytest.raises(errors.Forbidden):
        await patch(deployer, other, {"metadata": {"annotations": asks}})


async def test_controllers_that_write_meanwhile_are_not_taken_for_the_deployers_doing(
    cluster: connections.Cluster, deployer: connections.Cluster, shop: Shop
) -> None:
    ref = await application(cluster, shop)
    writers = [
        patch(cluster, ref, {"status": {"reconciledAt": f"2026-11-23T11:00:{number:02}Z"}})
        for number in range(10)
    ]
    argo = application_handles.Application(deployer, ref)
    await asyncio.gather(
        argo.ask(plans.Sync(ref.name, samples.REVISION), "d1", by("dev")), *writers
    )
    stale = await read(cluster, ref)
    await patch(cluster, ref, {"operation": None})
    with pytest.raises(answers.Conflict):
        await writing.replace(deployer, kinds.APPLICATION, stale)


async def test_members_of_the_group_deploy_in_their_own_name_and_are_held_to_the_same(
    cluster: connections.Cluster, shop: Shop
) -> None:
    ref = await application(cluster, shop, "production")
    kubeconfig = shop.person("jiwon", GROUP)
    async with connections.connect(kubeconfig=kubeconfig) as jiwon:
        argo = application_handles.Application(jiwon, ref)
        does = plans.Sync(ref.name, samples.REVISION)
        with pytest.raises(answers.Denied, match="initiatedBy"):
            await argo.ask(does, "d1.sync", by("production"))
        started = await argo.ask(does, "d1.sync", "hanbae/jiwon")
        assert started["operation"]["initiatedBy"] == {"username": "hanbae/jiwon"}
        with pytest.raises(answers.Denied, match="does not change the spec"):
            await patch(jiwon, ref, {"spec": {"project": "default"}})
        assert await reading.find(jiwon, kinds.JOB, "services-production") == []
        with pytest.raises(errors.Forbidden):
            await reading.find(jiwon, kinds.JOB, "services-dev")


# What admission refuses in an Application


@pytest.mark.parametrize("change", FORBIDDEN["application"])
@pytest.mark.parametrize("who", ["dev", "staging"])
async def test_nothing_else_in_an_application_can_be_changed(
    cluster: connections.Cluster,
    deployer: connections.Cluster,
    generous: connections.Cluster,
    shop: Shop,
    who: str,
    change: str,
) -> None:
    ref = await application(cluster, shop, who)
    before = await read(cluster, ref)
    words, body = FORBIDDEN["application"][change]
    with pytest.raises(answers.Denied, match="hanbae-applications-services-") as caught:
        await patch(deployer if who == "dev" else generous, ref, body)
    assert words in caught.value.text.facts["message"]
    assert await read(cluster, ref) == before
    assert await patch(cluster, ref, body), "an administrator may"


STARTS = [(part, name) for part in ("sync", "operation") for name in FORBIDDEN[part]]


@pytest.mark.parametrize(("part", "name"), STARTS)
async def test_operations_of_another_shape_are_refused(
    cluster: connections.Cluster, generous: connections.Cluster, shop: Shop, part: str, name: str
) -> None:
    ref = await application(cluster, shop, "staging")
    words, change = FORBIDDEN[part][name]
    operation = sync_operation("staging")
    hostile = operation | ({"sync": operation["sync"] | change} if part == "sync" else change)
    with pytest.raises(answers.Denied) as caught:
        await patch(generous, ref, {"operation": hostile})
    assert words in caught.value.text.facts["message"]
    assert "operation" not in await read(cluster, ref)
    taken = await patch(generous, ref, {"operation": operation})
    assert taken["operation"] == operation, "the shape that hanbae writes is taken"


async def test_only_automation_that_prunes_lets_the_deployer_prune(
    cluster: connections.Cluster, generous: connections.Cluster, shop: Shop
) -> None:
    ref = await application(cluster, shop, "staging")
    with pytest.raises(answers.Denied, match="prune"):
        await patch(generous, ref, {"operation": sync_operation("staging", prune=True)})
    await patch(cluster, ref, {"spec": {"syncPolicy": {"automated": {"prune": True}}}})
    await patch(generous, ref, {"operation": sync_operation("staging", prune=True)})


async def test_an_operation_of_somebody_elses_is_neither_replaced_nor_forgotten(
    cluster: connections.Cluster, deployer: connections.Cluster, shop: Shop
) -> None:
    theirs = samples.state("Running")
    ref = await application(cluster, shop, operationState=theirs)
    with pytest.raises(answers.Denied, match="an operation is active"):
        await patch(deployer, ref, {"operation": sync_operation()})
    for record in (None, {"phase": "Succeeded"}, {"phase": "Terminating", "message": "forged"}):
        with pytest.raises(answers.Denied, match=r"of status\.operationState"):
            await patch(deployer, ref, {"status": {"operationState": record}})
    await patch(
        cluster, ref, {"operation": theirs["operation"], "status": {"operationState": None}}
    )
    with pytest.raises(answers.Denied, match="an operation is active"):
        await patch(deployer, ref, {"operation": sync_operation(revision=samples.OTHER)})


# What admission and RBAC refuse elsewhere


async def test_applications_are_neither_created_nor_deleted(
    cluster: connections.Cluster,
    deployer: connections.Cluster,
    generous: connections.Cluster,
    shop: Shop,
) -> None:
    new = generating.application(shop.policy, "evil", "dev")
    new["metadata"].pop("finalizers")
    with pytest.raises(errors.Forbidden):
        await writing.create(deployer, kinds.APPLICATION, new)
    with pytest.raises(answers.Denied, match="neither creates nor deletes an Application"):
        await writing.create(generous, kinds.APPLICATION, new)
    for who, environment in ((deployer, "dev"), (generous, "staging")):
        ref = await application(cluster, shop, environment)
        with pytest.raises((errors.Forbidden, answers.Denied)):
            await writing.delete(who, kinds.APPLICATION, "argocd", ref.name)
        assert await read(cluster, ref)


async def test_another_environments_application_is_out_of_reach(
    cluster: connections.Cluster, deployer: connections.Cluster, shop: Shop
) -> None:
    ref = await application(cluster, shop, "production")
    with pytest.raises(errors.Forbidden):
        await read(deployer, ref)
    with pytest.raises(errors.Forbidden):
        await patch(deployer, ref, {"operation": sync_operation()})
    with pytest.raises(errors.Forbidden):
        await reading.find(deployer, kinds.APPLICATION, "argocd")


@pytest.mark.parametrize("change", FORBIDDEN["applicationset"])
async def test_of_an_applicationset_only_the_refresh_can_be_set(
    cluster: connections.Cluster, deployer: connections.Cluster, shop: Shop, change: str
) -> None:
    ref = subjects.Ref("ApplicationSet", "argocd", "services-dev")
    before = await read(cluster, ref)
    words, body = FORBIDDEN["applicationset"][change]
    with pytest.raises(answers.Denied, match="hanbae-applicationsets-services-dev") as caught:
        await patch(deployer, ref, body)
    assert words in caught.value.text.facts["message"]
    assert await read(cluster, ref) == before


async def test_applicationsets_are_neither_created_nor_deleted(
    generous: connections.Cluster, deployer: connections.Cluster
) -> None:
    new = anybodys("applicationset", "argocd")
    with pytest.raises(answers.Denied, match="neither creates nor deletes an ApplicationSet"):
        await writing.create(generous, kinds.APPLICATIONSET, new)
    with pytest.raises(answers.Denied, match="neither creates nor deletes an ApplicationSet"):
        await writing.delete(generous, kinds.APPLICATIONSET, "argocd", "services-staging")
    with pytest.raises(errors.Forbidden):
        await writing.delete(deployer, kinds.APPLICATIONSET, "argocd", "services-dev")


def changed(job: kinds.Object, path: str, value: Any) -> kinds.Object:
    """The Job with one place changed."""
    result = copy.deepcopy(job)
    pod = "spec.template.spec"
    path = path.replace("CONTAINER", f"{pod}.containers.0").replace("POD", pod)
    path = path.replace("SECOND", f"{pod}.containers.1")
    path = path.replace("ANNOTATIONS", "spec.template.metadata.annotations")
    *parents, last = path.split(".")
    parent: Any = result
    for key in parents:
        parent = parent[int(key)] if key.isdigit() else parent[key]
    if value is None:
        del parent[last]
    else:
        parent[last] = value
    if last == "restartPolicy":
        # The API server itself refuses both together, before any policy is asked.
        result["spec"].pop("podFailurePolicy", None)
    return result


@pytest.mark.parametrize("change", FORBIDDEN["job"])
async def test_jobs_that_are_no_proof_are_refused(
    deployer: connections.Cluster, shop: Shop, change: str, unique: Namer
) -> None:
    job = proof(shop, unique("d1"))
    words, path, value = FORBIDDEN["job"][change]
    hostile = changed(job, path, value)
    with pytest.raises(answers.Denied, match="hanbae-jobs-services-dev") as caught:
        await writing.create(deployer, kinds.JOB, hostile)
    assert words in caught.value.text.facts["message"]
    assert await writing.create(deployer, kinds.JOB, job), "unchanged it is taken"
    await writing.delete(deployer, kinds.JOB, "services-dev", job["metadata"]["name"])


@pytest.mark.parametrize("change", FORBIDDEN["asking"])
async def test_a_database_is_asked_one_question_and_no_other(
    deployer: connections.Cluster, shop: Shop, change: str, unique: Namer
) -> None:
    job = asking(shop, unique("d1"))
    words, path, value = FORBIDDEN["asking"][change]
    with pytest.raises(answers.Denied, match="hanbae-jobs-services-dev") as caught:
        await writing.create(deployer, kinds.JOB, changed(job, path, value))
    assert words in caught.value.text.facts["message"]
    assert await writing.create(deployer, kinds.JOB, job), "unchanged it is taken"
    await writing.delete(deployer, kinds.JOB, "services-dev", job["metadata"]["name"])


async def test_other_jobs_are_not_deleted_and_no_job_is_changed(
    cluster: connections.Cluster,
    deployer: connections.Cluster,
    generous: connections.Cluster,
    unique: Namer,
) -> None:
    for who, namespace in ((deployer, "services-dev"), (generous, "services-staging")):
        job = anybodys("job", namespace)
        job["metadata"]["name"] = unique("auth-service-migrate")
        ref = kinds.ref(await writing.create(cluster, kinds.JOB, job))
        with pytest.raises(answers.Denied, match="deletes only the Jobs"):
            await writing.delete(who, kinds.JOB, ref.namespace, ref.name)
        with pytest.raises((errors.Forbidden, answers.Denied)) as caught:
            await patch(who, ref, {"spec": {"activeDeadlineSeconds": 1}})
        assert who is deployer or "does not change Jobs" in caught.value.text.facts["message"]
        assert await read(cluster, ref)


async def test_other_secrets_cannot_be_read(
    cluster: connections.Cluster, deployer: connections.Cluster, unique: Namer
) -> None:
    ref = subjects.Ref("Secret", "services-dev", unique("others"))
    metadata = {"name": ref.name, "namespace": ref.namespace}
    await writing.create(cluster, kinds.SECRET, {"metadata": metadata})
    with pytest.raises(errors.Forbidden):
        await read(deployer, ref)
    with pytest.raises(errors.Forbidden):
        await reading.find(deployer, kinds.SECRET, ref.namespace)
    with pytest.raises(errors.Forbidden):
        await patch(deployer, ref, {"stringData": {"a": "b"}})
    for namespace in ("services-production", "hanbae-services-dev", "argocd", "kube-system"):
        with pytest.raises(errors.Forbidden):
            await reading.find(deployer, kinds.SECRET, namespace)


NEW_PODS = {"spec": {"containers": [{"name": "a", "image": "x"}]}}


@pytest.mark.parametrize("namespace", ["services-dev", "argocd", "hanbae-services-dev", "default"])
async def test_pods_are_not_created_directly(
    deployer: connections.Cluster, namespace: str, unique: Namer
) -> None:
    pod = {"metadata": {"name": unique("evil"), "namespace": namespace}, **NEW_PODS}
    with pytest.raises(errors.Forbidden) as caught:
        await writing.create(deployer, kinds.POD, pod)
    facts = caught.value.text.facts
    assert (facts["verb"], facts["resource"], facts["namespace"]) == ("create", "pods", namespace)


async def test_logs_are_read_but_nobody_gets_into_a_pod(
    cluster: connections.Cluster,
    deployer: connections.Cluster,
    shop: Shop,
    kubeconfigs: dict[str, Path],
) -> None:
    job = shop.migration("auth")
    spec = job["spec"]["template"]["spec"]
    spec.pop("serviceAccountName")
    metadata = {"name": "auth-0", "namespace": "services-dev"}
    await writing.create(cluster, kinds.POD, {"metadata": metadata, "spec": spec})
    await say(cluster, kinds.POD, "services-dev", "auth-0", {"phase": "Running"})
    assert await logs.tail(deployer, "services-dev", "auth-0", "migrate") == []
    for words in (
        ("exec", "auth-0", "--", "sh"),
        ("port-forward", "auth-0", "8080"),
        ("attach", "auth-0"),
    ):
        ended = await asyncio.to_thread(
            shop.try_, "kubectl", "-n", "services-dev", *words, kubeconfig=kubeconfigs["dev"]
        )
        assert ended.returncode
        assert "is forbidden" in ended.stderr, ended.stderr


async def test_rights_cannot_be_widened(
    deployer: connections.Cluster, shop: Shop, kubeconfigs: dict[str, Path]
) -> None:
    tried = {
        ("create", "token", "hanbae-deployer", "-n", "hanbae-services-dev"),
        ("create", "rolebinding", "x", "--clusterrole=admin", "--user=x", "-n", "services-dev"),
        ("delete", "validatingadmissionpolicy", "hanbae-jobs-services-dev"),
        ("annotate", "namespace", "services-dev", "x=y"),
        # A deletion asks for the right before it asks whether there is such an object.
        ("delete", "deployment", "auth-service", "-n", "services-dev"),
    }
    for words in tried:
        ended = await asyncio.to_thread(shop.try_, "kubectl", *words, kubeconfig=kubeconfigs["dev"])
        assert ended.returncode, words
        assert "orbidden" in ended.stderr, ended.stderr


async def test_nobody_else_is_held_to_the_policies(
    cluster: connections.Cluster, shop: Shop
) -> None:
    ref = await application(cluster, shop)
    labelled = await patch(cluster, ref, {"metadata": {"labels": {"x": "y"}}})
    assert labelled["metadata"]["labels"]["x"] == "y"
    begun = await patch(cluster, ref, {"operation": sync_operation(manifests=["x"])})
    assert begun["operation"]["sync"]["manifests"] == ["x"]
    assert await writing.delete(cluster, kinds.APPLICATION, "argocd", ref.name)


def test_applying_again_changes_nothing(shop: Shop) -> None:
    again = shop.run("kubectl", "apply", "-k", "k8s/rbac/production")
    assert {line.rsplit(" ", 1)[1] for line in again.splitlines()} == {"unchanged"}


def test_every_rule_is_broken_by_some_test(shop: Shop) -> None:
    """A rule that nothing here breaks could be taken out unnoticed."""
    services = [authorizing.Service("auth", "registry.example.com/auth")]
    policies = admitting.policies(shop.policy, "dev", services)
    messages = {v["message"] for p in policies for v in p["spec"].get("validations", [])}
    words = [words for table in FORBIDDEN.values() for words, *_ in table.values()]
    words += ["an operation is active", "creates nor deletes", "does not change Jobs"]
    # What the API server of today drops or ignores before admission sees it; that of tomorrow may not.
    assert {message for message in messages if not any(word in message for word in words)} == {
        "operation has a field that hanbae does not write",
        "the deployer changes nothing in the status of an ApplicationSet",
    }
