"""A repository with ``hanbae generate rbac`` applied to a real API server, and what deployers write there."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from tests.support import applications as samples
from tests.support import polling

from hanbae import subjects
from hanbae.argo import generating, operations
from hanbae.clusters import connections, kinds, probes, reading, writing
from hanbae.deploying import proving
from hanbae.planning import proofs
from hanbae.policy import documents, loading
from hanbae.releases import objects
from hanbae.releases import reading as release_reading

if TYPE_CHECKING:
    from tests.api.conftest import ControlPlane

ENVIRONMENTS = ("dev", "staging", "production")
DEPLOYER = "system:serviceaccount:hanbae-services-{}:hanbae-deployer"
READY_WITHIN = 30.0


class Shop:
    """A scaffolded repository, applied to the cluster by an administrator."""

    def __init__(self, root: Path, plane: ControlPlane) -> None:
        self.root = root
        self.plane = plane
        self._migrations: dict[str, dict[str, Any]] = {}
        self.environment = {
            name: value
            for name, value in plane.programs.environment().items()
            if not name.lower().endswith("_proxy")
        }

    def try_(self, program: str, *arguments: str, kubeconfig: Path | None = None) -> Any:
        return subprocess.run(
            [str(self.plane.programs.path(program)), *arguments],
            cwd=self.root,
            env=self.environment | {"KUBECONFIG": str(kubeconfig or self.plane.kubeconfig)},
            capture_output=True,
            text=True,
            check=False,
        )

    def run(self, program: str, *arguments: str, kubeconfig: Path | None = None) -> str:
        ended = self.try_(program, *arguments, kubeconfig=kubeconfig)
        assert ended.returncode == 0, f"{program} {' '.join(arguments)}\n{ended.stderr}"
        return str(ended.stdout)

    @property
    def policy(self) -> documents.Policy:
        return loading.load(self.root / "hanbae.yaml").policy

    def kubeconfig(self, environment: str) -> Path:
        """A kubeconfig of the environment's deployer, made as the command's help says."""
        token = self.run(
            "kubectl", "create", "token", "hanbae-deployer", "-n", f"hanbae-services-{environment}"
        ).strip()
        document = json.loads(self.plane.kubeconfig.read_text())
        document["users"] = [{"name": "admin", "user": {"token": token}}]
        path = self.root.parent / f"{environment}.kubeconfig"
        path.touch(0o600)
        path.write_text(json.dumps(document))
        return path

    def person(self, name: str, *groups: str) -> Path:
        """A kubeconfig of somebody with a certificate."""
        certificate, key = self.plane.authority.issue(name, *groups)
        document = json.loads(self.plane.kubeconfig.read_text())
        files = {"client-certificate": str(certificate), "client-key": str(key)}
        document["users"] = [{"name": "admin", "user": files}]
        path = self.root.parent / f"{name}.kubeconfig"
        path.write_text(json.dumps(document))
        return path

    def migration(self, service: str) -> dict[str, Any]:
        """The migration Job of dev, as the real Helm renders the chart, which does not change meanwhile."""
        if service not in self._migrations:
            self._migrations[service] = self._rendered_migration(service)
        return copy.deepcopy(self._migrations[service])

    def _rendered_migration(self, service: str) -> dict[str, Any]:
        chart = f"services/{service}/helm"
        text = self.run(
            "helm", "template", f"{service}-service", chart, "-f", f"{chart}/values-dev.yaml",
            "--set-string", f"image.digest=sha256:{'a' * 64}",
        )  # fmt: skip
        (job,) = [t for t in YAML(typ="safe").load_all(text) if t and t["kind"] == "Job"]
        return dict(job)


def await_kinds(shop: Shop, expected: set[str]) -> None:
    def served() -> set[str]:
        names = shop.run("kubectl", "api-resources", "--no-headers", "-o", "name").split()
        return {name.split(".")[0] for name in names}

    polling.until(lambda: expected <= served(), within=READY_WITHIN, pause=0.2, state=served)


def await_policies(shop: Shop, environment: str) -> None:
    """The API server learns of a policy a moment after it has stored it."""
    who = f"--as={DEPLOYER.format(environment)}"
    groups = [f"--as-group={name}" for name in ("system:authenticated", "system:masters")]
    kinds_ = ("applications", "applicationsets", "jobs")
    tried = {
        "applications": ("application", "argocd"),
        "applicationsets": ("applicationset", "argocd"),
        "jobs": ("job", f"services-{environment}"),
    }
    for kind in kinds_:
        name, namespace = tried[kind]
        body = shop.root.parent / f"try-{name}.json"
        body.write_text(json.dumps(anybodys(name, namespace)))
        command = ("kubectl", "create", "--dry-run=server", "-f", str(body), who, *groups)

        def refusal(command: tuple[str, ...] = command) -> str:
            return shop.try_(*command).stderr

        policy = f"hanbae-{kind}-services-{environment}"
        polling.until(
            lambda policy=policy, refusal=refusal: policy in refusal(),
            within=READY_WITHIN,
            pause=0.1,
            state=refusal,
        )


def anybodys(name: str, namespace: str) -> dict[str, Any]:
    """An object that the API server would take from anybody else."""
    metadata = {"name": "try", "namespace": namespace}
    if name == "job":
        pod = {"restartPolicy": "Never", "containers": [{"name": "a", "image": "x"}]}
        return {
            "apiVersion": "batch/v1", "kind": "Job", "metadata": metadata,
            "spec": {"template": {"spec": pod}},
        }  # fmt: skip
    application = {"project": "default", "destination": {}, "source": {"repoURL": "x"}}
    if name == "application":
        return kinds.APPLICATION.complete({"metadata": metadata, "spec": application})
    template = {"metadata": {"name": "x"}, "spec": application}
    spec = {"generators": [{"list": {"elements": []}}], "template": template}
    return kinds.APPLICATIONSET.complete({"metadata": metadata, "spec": spec})


async def application(
    cluster: connections.Cluster, shop: Shop, environment: str = "dev", **status: Any
) -> subjects.Ref:
    """The Application of auth, anew, as the ApplicationSet makes it and Argo CD has looked at it."""
    manifest = generating.application(shop.policy, "auth", environment)
    manifest["metadata"].pop("finalizers", None)
    manifest["metadata"]["annotations"] = {"example.com/team": "blue"}
    manifest["status"] = {"sync": {"status": "Synced", "revision": samples.REVISION}, **status}
    ref = subjects.Ref("Application", "argocd", manifest["metadata"]["name"])
    if await reading.get(cluster, kinds.APPLICATION, ref.namespace, ref.name) is not None:
        await patch(cluster, ref, {"metadata": {"finalizers": None}})
        await writing.delete(cluster, kinds.APPLICATION, ref.namespace, ref.name)
    await writing.create(cluster, kinds.APPLICATION, manifest)
    return ref


async def read(cluster: connections.Cluster, ref: subjects.Ref) -> kinds.Object:
    live = await reading.get(cluster, kinds.named(ref.kind), ref.namespace, ref.name)
    assert live is not None
    return live


async def patch(cluster: connections.Cluster, ref: subjects.Ref, body: Any) -> kinds.Object:
    kind = kinds.named(ref.kind)
    return await writing.merge_patch(cluster, kind, ref.namespace, ref.name, body)


def by(environment: str) -> str:
    return f"hanbae/{DEPLOYER.format(environment)}"


def sync_operation(environment: str = "dev", **sync: Any) -> dict[str, Any]:
    """The operation that hanbae writes, with something more in its ``sync``."""
    manifest = {"spec": {"syncPolicy": {"syncOptions": OPTIONS}}}
    operation = operations.asking(
        manifest, revision=samples.REVISION, key="k", by=by(environment), about={"service": "auth"}
    )
    operation_field: dict[str, Any] = operation["operation"]
    operation_field["sync"] |= sync
    return operation_field


OPTIONS = [
    "ServerSideApply=true",
    "CreateNamespace=false",
    "FailOnSharedResource=true",
    "PruneLast=true",
]


async def say(
    cluster: connections.Cluster, kind: kinds.Kind, namespace: str, name: str, status: Any
) -> None:
    """Write a status, as controllers do."""
    request = cluster.describe("patch", kind, namespace, name=name, subresource="status")
    path = kind.path(namespace, name, "status")
    kind_of = "application/merge-patch+json"
    await cluster.ask(request, "PATCH", path, body={"status": status}, content_type=kind_of)


def proof(shop: Shop, key: str, service: str = "auth") -> kinds.Object:
    """The Job that proves a service's migrations, exactly as `deploy` makes it."""
    hook = shop.migration(service)
    manifest = objects.Object(hook, "", 0, "services-dev")
    release = release_reading.of([manifest], service=service, namespace="services-dev", name="x")
    (migration,) = release.migrations
    job = proofs.of(migration, namespace="services-dev", account=f"{service}-service")
    named = proving.named(job, f"{service}-service-prove-{service}_db", key)
    return probes.hardened(named, deadline=120)


def asking(shop: Shop, key: str) -> kinds.Object:
    """The proof with the question about drift, exactly as `deploy` makes it."""
    job = proofs.asking(proof(shop, key))
    assert job is not None
    return probes.hardened(job, deadline=120)
