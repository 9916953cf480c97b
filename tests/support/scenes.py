"""What the end-to-end tests stand on: hanbae as a child process, and a shop in which something happens.

What a user would type is a child process (``hanbae demo``, ``hanbae deploy``), so that exit codes and streams are real.
What surrounds it (a migration is written, a password changes, a registry login is wrong) is done in Python.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support import cluster_objects, hubs, outcomes, preforking, projects

from hanbae import masking
from hanbae.actions import generate_argocd, generate_rbac, new_service, upgrade
from hanbae.argo import authorizing
from hanbae.charts import values
from hanbae.history import stores
from hanbae.policy import environments, loading, naming
from hanbae.sandbox import demo_repository, demo_shop, running, service_images

#: A user's settings that would lead a child to another cluster or database.
_DROPPED = ("HANBAE_", "KUBE", "PG", "ARGOCD_")


MIGRATION_FAILED: Final = {"diagnosis.migration-failed", "diagnosis.migration-hopeless"}
"""The causes of wrong SQL: which of them is first depends on whether its Job or its log ends first."""


_own: list[Scene] = []
"""The environments that :func:`own` has made in this process."""


@dataclass(frozen=True)
class Ended:
    """A command of hanbae's that has ended.

    Attributes:
        code: Its exit code.
        out: What it wrote to stdout.
        err: What it wrote to stderr.
    """

    code: int
    out: str
    err: str

    @property
    def deployments(self) -> list[dict[str, Any]]:
        """The deployments of the JSON document on stdout."""
        deployments: list[dict[str, Any]] = json.loads(self.out)["deployments"]
        return deployments

    @property
    def only(self) -> dict[str, Any]:
        """The only deployment."""
        (deployment,) = self.deployments
        return deployment

    @property
    def causes(self) -> set[str]:
        """The ids of the causes that were named."""
        return {
            diagnosis["cause"]["id"]
            for deployment in self.deployments
            for diagnosis in deployment["diagnoses"]
        }


def hanbae(*arguments: str, directory: Path | None = None, **environment: str) -> Ended:
    """Run hanbae as a user does who has no terminal.

    Args:
        arguments: The words after ``hanbae``.
        directory: Where it is started.
        environment: Variables to add; those that would lead to another cluster are dropped.
    """
    variables = clean_environment() | environment
    return Ended(*preforking.run(arguments, directory=directory, environment=variables))


def clean_environment() -> dict[str, str]:
    """The environment of a child: nothing of the user's leads it to another cluster, and it speaks English."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_DROPPED) or name == "HANBAE_SANDBOX_BIN"
    }
    return kept | {"HANBAE_LANG": "en"}


def shop(sandbox: running.Sandbox, environment: str) -> demo_shop.Shop:
    """The shop that a demo has left in a sandbox, in a clone for one of its environments.

    Scenes of different environments play at the same time; each environment has a branch of its own.
    """
    root = sandbox.site.folder.root
    clone, remote = root / f"shop-of-{environment}", sandbox.git_folder / "shop.git"
    repository = demo_repository.Repository(clone, remote)
    if not clone.exists():
        demo_repository.git(root, "clone", "--quiet", repository.url, clone.name)
    return demo_shop.Shop(sandbox, repository, service_images.program(root / "shop" / "app"))


def histories(sandbox: running.Sandbox) -> dict[Path, bytes]:
    """The content of every history file in a sandbox's folder; some come and go with their connections.

    The folders beside them hold locks without content.
    """
    contents = {}
    for path in sandbox.site.folder.root.glob("history*.db*"):
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            contents[path] = path.read_bytes()
    return contents


def own(
    sandbox: running.Sandbox,
    name: str,
    *,
    services: Collection[str] | None = None,
    automated: bool = False,
    by_helm: bool = False,
    runner: Collection[str] = (),
    control: running.Sandbox | None = None,
) -> Scene:
    """A shop beside the demo's, with one environment of its own, its services not yet deployed.

    Args:
        sandbox: The sandbox.
        name: Name of the environment, of its branch and of what else nobody shares with it. A second run of
            tests that have failed has another one.
        services: Those of the example that get an image and secrets; all of them if not given.
        automated: Whether Argo CD starts syncs itself.
        by_helm: Whether Helm deploys it and Argo CD knows nothing of it.
        runner: Services whose migration Jobs run hanbae-migrate, as `hanbae upgrade` brings it.
        control: The sandbox of the Argo CD that deploys into `sandbox`, if it is another one; see
            :func:`tests.support.hubs.joined`.
    """
    name += f"-again{os.environ[outcomes.AGAIN]}" if outcomes.AGAIN in os.environ else ""
    root = sandbox.site.folder.root
    clone, source = root / f"shop-{name}", root / f"example-{name}"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(demo_repository.example(), source)
    for path in sorted(source.rglob("*"), reverse=True):
        if path.is_file() and path.suffix in {".yaml", ".yml"}:
            text = path.read_text().replace("staging", name)
            # All environments share one node, whose two cores are handed out by what pods ask for.
            path.write_text(text.replace("cpu: 50m", "cpu: 10m"))
        if "staging" in path.name:
            path.rename(path.with_name(path.name.replace("staging", name)))
    remote = (control or sandbox).git_folder / f"{name}.git"
    repository = demo_repository.create(source, clone, remote)
    shop_of_scene = demo_shop.Shop(
        sandbox, repository, service_images.program(demo_repository.example() / "app")
    )
    with values.editing(clone / "hanbae.yaml", "hanbae.yaml") as policy:
        history = f"sqlite:///{root / f'history-{name}.db'}"
        stores.open_store(history).close()
        policy.update(demo_shop.addresses(sandbox, repository))
        policy.update({("history", "url"): history})
        # How long pods go on being ready is looked at by the demo and by the scene of the checklist.
        policy.update({("checklists", "settle"): "0s"})
        policy.update({("environments", name, "sync"): "auto" if automated else "manual"})
        if by_helm:
            policy.update({("environments", name, "engine"): "helm"})
        if runner:
            policy.update({("migrations", "runner"): naming.RUNNER})
        if control is not None:
            contexts = {"control": control.context, "workload": sandbox.context}
            policy.update(
                {("environments", name, part): context for part, context in contexts.items()}
            )
    generate_argocd.generate_argocd(clone)
    if runner:
        upgrade.upgrade(clone, tuple(runner), upgrade.Options(dirty=True))
    repository.commit("Read the repository from here")
    shop_of_scene.prepare_namespaces(name)
    scene = Scene(shop_of_scene, name, control=control)
    repository.switch(scene.branch, create=True)
    for service in shop_of_scene.services if services is None else services:
        scene.seal(service)
        scene.build(service)
    scene.publish("Images and secrets")
    if not by_helm:
        scene.argocd.apply(clone / generate_argocd.FOLDER / name)
    _own.append(scene)
    return scene


def clear_later(scene: Scene) -> None:
    """Have :func:`clear` take away an environment that something else than :func:`own` has made."""
    _own.append(scene)


def clear() -> None:
    """Take away the environments that this process has made: their pods' requests fill the node that all share."""
    while _own:
        scene = _own.pop()
        if scene.control is not None:
            continue  # the sandbox of its pods and its clone is another one, which ends with its scene
        environment = str(scene.clone / generate_argocd.FOLDER / scene.environment)
        kubectl, gone = scene.shop.sandbox.kubectl, ("--ignore-not-found", "--wait=false")
        if Path(environment).is_dir():  # Argo CD first, or it would make anew what is deleted
            kubectl(["delete", "-k", environment, *gone])
        namespaces = {scene.namespace(service) for service in scene.shop.services}
        kubectl(["delete", "namespace", *sorted(namespaces), *gone])


@dataclass(frozen=True)
class Scene:
    """One environment of the shop, in which a scenario plays.

    Attributes:
        shop: The shop.
        environment: The environment.
        token: A token for Argo CD's API, for scenes in which it is driven through that.
        control: The sandbox of Argo CD, where it is not that of the pods.
    """

    shop: demo_shop.Shop
    environment: str
    token: masking.Masked | None = None
    control: running.Sandbox | None = None

    @property
    def argocd(self) -> running.Sandbox:
        """The sandbox of Argo CD."""
        return self.control or self.shop.sandbox

    @property
    def clone(self) -> Path:
        """The working copy."""
        return self.shop.repository.clone

    @property
    def branch(self) -> str:
        """The branch that the environment deploys."""
        return self.shop.policy.environments[self.environment].branch or "main"

    def enter(self) -> None:
        """Go to the environment's branch as the remote has it, whatever a failed scenario has left."""
        branch = self.branch
        demo_repository.git(self.clone, "update-index", "--no-skip-worktree", loading.NAME)
        demo_repository.git(self.clone, "fetch", "--quiet", "origin")
        demo_repository.git(self.clone, "reset", "--quiet", "--hard")
        demo_repository.git(self.clone, "clean", "--quiet", "--force", "-d")
        demo_repository.git(self.clone, "checkout", "--quiet", "-B", branch, f"origin/{branch}")

    def speak_to_api(self) -> None:
        """Have the clone's policy drive this environment through Argo CD's API, until a scene is entered again.

        It is not published: how Argo CD is driven is no business of the branch.
        """
        with values.editing(self.clone / loading.NAME, loading.NAME) as policy:
            policy.update({("environments", self.environment, "transport"): "argocd-api"})
        demo_repository.git(self.clone, "update-index", "--skip-worktree", loading.NAME)

    def served(self) -> Scene:
        """The same environment, driven through Argo CD's API with a new token of its project."""
        project = naming.project(self.shop.policy, self.environment)
        token = projects.Projects(self.shop.sandbox).token(project, "deployer")
        scene = dataclasses.replace(self, token=token)
        scene.speak_to_api()
        return scene

    def publish(self, message: str) -> str:
        """Commit and push the environment's branch.

        Returns:
            The commit.
        """
        head = self.shop.repository.commit(message)
        self.shop.repository.push(self.branch)
        return head

    def namespace(self, service: str) -> str:
        """The namespace of the service's objects."""
        return naming.namespace(self.shop.policy, service, self.environment)

    def migrations(self, service: str) -> Path:
        """The folder of the service's migrations in the clone."""
        return self.clone / naming.migrations_folder(self.shop.policy, service)

    def edit(self, service: str, changes: dict[str, str | int | bool]) -> None:
        """Change values of the service in the environment, by their key paths."""
        relative = naming.values_file(self.shop.policy, service, self.environment)
        with values.editing(self.clone / relative, str(relative)) as document:
            document.update({tuple(key.split(".")): value for key, value in changes.items()})

    def replace(self, service: str, old: str, new: str) -> None:
        """Change the text of the service's values file; for what is no plain value.

        Raises:
            ValueError: `old` is not there.
        """
        path = self.clone / naming.values_file(self.shop.policy, service, self.environment)
        text = path.read_text()
        if old not in text:
            message = f"{path.name} has no {old!r}"
            raise ValueError(message)
        path.write_text(text.replace(old, new))

    def set_environment(self, service: str, **variables: str) -> None:
        """Plain environment variables of the service's pods, beside those that another scene has set."""
        path = self.clone / naming.values_file(self.shop.policy, service, self.environment)
        others = [
            line
            for line in path.read_text().splitlines()
            if not line.startswith(tuple(f"  {name}: " for name in variables))
        ]
        path.write_text("\n".join(others).replace("\nenv: {}\n", "\nenv:\n") + "\n")
        lines = "\n".join(f"  {name}: {json.dumps(value)}" for name, value in variables.items())
        self.replace(service, "\nenv:\n", f"\nenv:\n{lines}\n")

    def once(self, service: str) -> None:
        """Let a failed migration not be tried again: four tries take eighty seconds."""
        chart = self.clone / naming.chart(self.shop.policy, service)
        template = chart / "templates" / "migration-job.yaml"
        backoff = f"backoffLimit: {self.shop.policy.migrations.backoff_limit}\n"
        template.write_text(template.read_text().replace(backoff, "backoffLimit: 0\n"))

    def values_of(self, service: str) -> values.Values:
        """The service's values in the environment, as the clone has them now."""
        relative = naming.values_file(self.shop.policy, service, self.environment)
        return values.read(self.clone / relative, str(relative))

    def build(self, service: str, *, acts_as: str | None = None) -> str:
        """Push an image of what the clone has now, and have the environment use it."""
        reference = asyncio.run(self.shop.push(service, acts_as=acts_as))
        asyncio.run(self.shop.use_image(service, self.environment, reference))
        return reference

    def seal(self, service: str) -> None:
        """New passwords for the service's databases, sealed."""
        asyncio.run(self.shop.seal_all(service, self.environment))

    def seal_only(self, service: str, plaintexts: Mapping[str, masking.Masked]) -> None:
        """Seal these values and no others."""
        asyncio.run(self.shop.seal(service, self.environment, plaintexts))

    def create(self, service: str, *, like: str) -> None:
        """A new service, not yet published, with the program, the databases and the first migrations of another."""
        names = [database.name for database in self.shop.declared(like, self.environment)]
        several = names if len(names) > 1 else []
        new_service.new_service(self.clone, service, databases=several)
        # The example's own, because another scenario may have added to those of the branch.
        theirs = demo_repository.example() / naming.migrations_folder(self.shop.policy, like)
        ours = self.migrations(service)
        for path in ours.rglob("*.sql"):
            path.unlink()
        for path in theirs.rglob("*.sql"):
            target = ours / path.relative_to(theirs)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
        self.build(service, acts_as=like)

    def deploy(self, *services: str, output: str = "json", **variables: str) -> Ended:
        """``hanbae deploy`` in the clone."""
        return hanbae(
            "deploy",
            *services,
            "--env",
            self.environment,
            "--output",
            output,
            directory=self.clone,
            **self.deployer(),
            **self._login(),
            **variables,
        )

    def deployer(self) -> dict[str, str]:
        """What makes a child the environment's deployer, who may deploy what the clone has now, and nothing else."""
        if self.control is None:
            asyncio.run(self.shop.authorise(self.environment))
            return {"KUBECONFIG": str(self.shop.deployer(self.environment)), **self.programs()}
        asyncio.run(generate_rbac.generate_rbac(self.clone, environments=[self.environment]))
        rights = self.clone / generate_rbac.FOLDER / self.environment
        sandboxes = {"workload": self.shop.sandbox, "control": self.control}
        for part, sandbox in sandboxes.items():
            sandbox.apply(rights / part)
        namespace = authorizing.namespace(self.shop.policy, self.environment)
        accounts = [
            sandbox.kubeconfig_of(authorizing.ACCOUNT, namespace) for sandbox in sandboxes.values()
        ]
        path = self.clone.parent / f"{self.environment}.kubeconfig"
        return {"KUBECONFIG": str(hubs.merged(path, *accounts))}

    def programs(self) -> dict[str, str]:
        """What leads a child to Helm, where that deploys; only the sandbox has it."""
        if not environments.by_helm(self.shop.policy, self.environment):
            return {}
        folder = self.shop.sandbox.site.folder.root / "bin"
        return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}

    def _login(self) -> dict[str, str]:
        """What leads the child to Argo CD's API; the environment of a process is not seen by other users."""
        if self.token is None:
            return {}
        return {
            "ARGOCD_SERVER": self.shop.sandbox.argocd.url,
            "ARGOCD_AUTH_TOKEN": self.token.unmask().decode(),
        }

    def get(self, kind: str, name: str, *, namespace: str) -> dict[str, Any]:
        """An object, as kubectl shows it."""
        return cluster_objects.read(self.shop.sandbox, kind, name, namespace)

    def select(self, kind: str, *, namespace: str, labels: str = "") -> list[dict[str, Any]]:
        """The objects of a kind that have some labels, likewise."""
        return cluster_objects.select(self.shop.sandbox, kind, namespace, labels=labels)

    def pods(self, service: str) -> dict[str, dict[str, Any]]:
        """The running pods of the service's Deployment, by uid."""
        release = naming.release(self.shop.policy, service, self.environment)
        label = f"app.kubernetes.io/name={service},app.kubernetes.io/instance={release}"
        return {
            pod["metadata"]["uid"]: pod
            for pod in self.select("pod", labels=label, namespace=self.namespace(service))
            if "deletionTimestamp" not in pod["metadata"]
        }

    def images(self, service: str) -> set[str]:
        """The images that the service's running pods name."""
        return {
            container["image"]
            for pod in self.pods(service).values()
            for container in pod["spec"]["containers"]
        }

    def lease(self, service: str) -> dict[str, str]:
        """What stands on the Lease that each deployment of the service takes first."""
        name = naming.lease(service, self.environment)
        lease = self.get("lease", name, namespace=self.namespace(service))
        annotations: dict[str, str] = lease["metadata"].get("annotations") or {}
        return {key.rpartition("/")[2]: value for key, value in annotations.items()}

    def versions(self, service: str, database: str) -> list[int]:
        """What goose's table says, in the order of applying; read by ourselves, as the superuser."""
        name = demo_shop.database_name(self.environment, service, database)
        with self.shop.sandbox.postgres.connect(name) as connection:
            rows = connection.execute(
                "SELECT version_id FROM public.goose_db_version WHERE version_id > 0 ORDER BY id"
            ).fetchall()
        return [row[0] for row in rows]

    def answers(self, service: str, path: str) -> str:
        """What the service answers to a GET, through the API server; raises when it does not answer with 200."""
        release, namespace = (
            naming.release(self.shop.policy, service, self.environment),
            self.namespace(service),
        )
        url = f"/api/v1/namespaces/{namespace}/services/{release}:http/proxy{path}"
        return self.shop.sandbox.kubectl(["get", "--raw", url]).decode()

    def operation(self, service: str) -> dict[str, Any]:
        """Argo CD's own record of the last operation, and whether one is asked for."""
        name = naming.application(self.shop.policy, service, self.environment)
        return cluster_objects.read(
            self.argocd, "application", name, self.shop.policy.argocd.namespace
        )


def write_migrations(folder: Path, files: dict[str, Sequence[str]]) -> None:
    """Write migrations: file name → statements of its Up part."""
    for name, lines in files.items():
        (folder / name).write_text("\n".join(("-- +goose Up", *lines, "")))
