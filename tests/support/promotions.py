"""Two environments of one shop whose repository is at a real forge, for what moves from the first to the second."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import giteas, scenes

from hanbae import masking
from hanbae.actions import generate_argocd
from hanbae.charts import values
from hanbae.policy import loading, naming
from hanbae.sandbox import demo_repository, running

OWNER = "ann"


@dataclass(frozen=True)
class Pair:
    """Two environments, and the forge.

    Attributes:
        first: Where the service is proven.
        second: Where it is promoted to; it asks for one approval.
        forge: The forge.
        project: The repository there.
    """

    first: scenes.Scene
    second: scenes.Scene
    forge: giteas.Gitea
    project: str

    def login(self, user: str) -> dict[str, str]:
        """What makes a child a user of the forge, who may read both environments."""
        return {
            "GITEA_SERVER_URL": self.forge.url,
            "GITEA_TOKEN": self.forge.tokens[user],
        }

    def promote(self, *words: str, user: str = OWNER, login: bool = True) -> scenes.Ended:
        """``hanbae promote`` from the first to the second, as an administrator of the cluster."""
        ends = ("--from", self.first.environment, "--to", self.second.environment)
        variables = {"KUBECONFIG": str(self.first.shop.sandbox.kubeconfig)}
        variables |= self.login(user) if login else {}
        return scenes.hanbae("promote", *ends, *words, directory=self.first.clone, **variables)

    def deploy(self, service: str, user: str = "") -> scenes.Ended:
        """``hanbae deploy`` to the second, as its deployer and as a user of the forge."""
        words = ("deploy", service, "--env", self.second.environment, "--output", "json")
        variables = self.second.deployer() | (self.login(user) if user else {})
        return scenes.hanbae(*words, directory=self.second.clone, **variables)


@contextmanager
def pair(sandbox: running.Sandbox, name: str, service: str) -> Iterator[Pair]:
    """Two environments with one service, nothing of it deployed yet.

    Args:
        sandbox: The sandbox.
        name: Name of the first; the second is called after it.
        service: The service.
    """
    first = scenes.own(sandbox, name, services=(service,))
    second = _following(first, service)
    scenes.clear_later(second)
    folder = sandbox.site.folder.root / f"forge-{first.environment}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    repositories = sandbox.git_folder / f"forge-{first.environment}"
    shutil.rmtree(repositories, ignore_errors=True)
    database = _database(sandbox, first.environment)
    with giteas.running(folder, database, repositories=repositories) as forge:
        for user in (OWNER, "ben", "cho"):
            forge.user(user)
        project = f"{OWNER}/shop"
        url = forge.repository(OWNER, "shop", "ben", "cho")
        clone, remote = first.clone, first.shop.repository.remote
        demo_repository.git(clone, "remote", "set-url", "origin", url)
        demo_repository.git(clone, "push", "--quiet", "origin", "--all")
        forge.until_filled(project)
        demo_repository.git(clone, "config", "user.name", "Ann")
        demo_repository.git(clone, "config", "user.email", "ann@example.com")
        # Argo CD reads the very folder that the forge writes.
        shutil.rmtree(remote)
        remote.symlink_to(repositories / f"{project}.git")
        yield Pair(first, second, forge, project)


def _following(first: scenes.Scene, service: str) -> scenes.Scene:
    """The second environment, on a branch of its own."""
    name = f"{first.environment}-next"
    second = scenes.Scene(first.shop, name)
    clone, repository = first.clone, first.shop.repository
    overlay = first.shop.policy.environments[first.environment].overlay or ""
    _copied(clone / overlay, clone / overlay.replace(first.environment, name), first, name)
    settings = {
        "branch": name,
        "sync": "manual",
        "values": f"values-{name}.yaml",
        "overlay": overlay.replace(first.environment, name),
        "namespace_suffix": f"-{name}",
        "approvals": 1,
    }
    with values.editing(clone / loading.NAME, loading.NAME) as policy:
        policy.update({("environments", name, key): value for key, value in settings.items()})
    for other in first.shop.services:
        own = clone / naming.values_file(first.shop.policy, other, first.environment)
        own.with_name(f"values-{name}.yaml").write_text(
            own.read_text().replace(first.environment, name)
        )
    first.shop.prepare_namespaces(name)
    second.seal(service)
    generate_argocd.generate_argocd(clone)
    first.publish("The next environment")
    repository.switch(name, create=True)
    repository.push(name)
    first.argocd.kubectl(["apply", "-k", str(clone / generate_argocd.FOLDER / name)])
    repository.switch(first.branch)
    return second


def _copied(source: Path, target: Path, first: scenes.Scene, name: str) -> None:
    shutil.copytree(source, target)
    for path in target.rglob("*"):
        if path.is_file():
            path.write_text(path.read_text().replace(first.environment, name))


def _database(sandbox: running.Sandbox, name: str) -> str:
    """An empty database of the sandbox's server, for the forge."""
    password, own = secrets.token_hex(16), f"forge_{name}".replace("-", "_")
    sandbox.databases.create(own, own, masking.Masked(password.encode()))
    server = sandbox.postgres
    return f"postgres://{own}:{password}@{server.host}:{server.port}/{own}"
