"""Two environments of one shop whose repository is at a real forge, for what moves from the first to the second."""

from __future__ import annotations

import inspect
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.support import giteas, scenes

from hanbae import masking
from hanbae.actions import generate_argocd
from hanbae.charts import values
from hanbae.forges import gitea
from hanbae.policy import loading, naming
from hanbae.repository import checkouts
from hanbae.sandbox import demo_repository, running

OWNER = "ann"
ARGO_CD = "argo-cd"


STEPS: Final = {
    "push": (checkouts.Checkout, "push"),
    "open": (gitea.Gitea, "open"),
    "report": (gitea.Gitea, "report"),
    "comment": (gitea.Gitea, "comment"),
}
"""What a promotion does one after the other, by what does it."""
_ROOT: Final = Path(__file__).parents[2]
_START: Final = """\
import sys
sys.path.insert(0, sys.argv.pop(1))
from tests.support import promotions
promotions.kill_after(sys.argv.pop(1), int(sys.argv.pop(1)))
sys.argv[0] = "hanbae"
from hanbae.cli import main
main.main()
"""


def kill_after(step: str, victim: int) -> None:
    """Have a process killed as soon as a step of this process's promotion is done: not one instruction later.

    Args:
        step: One of :data:`STEPS`.
        victim: The process; 0 for this one.
    """
    owner, name = STEPS[step]
    real = getattr(owner, name)

    def fall() -> None:
        os.kill(victim or os.getpid(), signal.SIGKILL)

    async def awaited(outcome: Awaitable[Any]) -> Any:
        result = await outcome
        fall()
        return result

    def then_fall(*words: Any, **named: Any) -> Any:
        outcome = real(*words, **named)
        if inspect.isawaitable(outcome):
            return awaited(outcome)
        fall()
        return outcome

    setattr(owner, name, then_fall)


class State(NamedTuple):
    """How far a promotion is at the forge.

    Attributes:
        branches: Branches of hanbae's.
        requests: Merge requests.
        statuses: Names of what was said of the branch's head.
        comments: Comments on the merge requests.
    """

    branches: int
    requests: int
    statuses: int
    comments: int


@dataclass(frozen=True)
class Pair:
    """Two environments, and the forge.

    Attributes:
        first: Where the service is proven.
        second: Where it is promoted to, on a branch of its own; it asks for one approval.
        trunk: Another one where it is promoted to; it deploys the first one's branch.
        forge: The forge.
        project: The repository there.
    """

    first: scenes.Scene
    second: scenes.Scene
    trunk: scenes.Scene
    forge: giteas.Gitea
    project: str

    def login(self, user: str) -> dict[str, str]:
        """What makes a child a user of the forge, who may read both environments."""
        return {
            "GITEA_SERVER_URL": self.forge.url,
            "GITEA_TOKEN": self.forge.tokens[user],
        }

    def promote(
        self, *words: str, user: str = OWNER, login: bool = True, to: scenes.Scene | None = None
    ) -> scenes.Ended:
        """``hanbae promote`` from the first to the second or another, as an administrator of the cluster."""
        arguments, variables = self._promotion(words, user if login else "", to)
        return scenes.hanbae(*arguments, directory=self.first.clone, **variables)

    def broken(self, after: str, victim: int = 0) -> int:
        """The same, and at a moment something is killed; the exit code.

        Args:
            after: The step, one of :data:`STEPS`.
            victim: The process that is killed as soon as the step is done; hanbae itself if not given.
        """
        arguments, variables = self._promotion((), OWNER)
        ended = subprocess.run(
            [sys.executable, "-c", _START, str(_ROOT), after, str(victim), *arguments],
            cwd=self.first.clone,
            env=scenes.clean_environment() | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return ended.returncode

    @property
    def branch(self) -> str:
        """The branch that hanbae pushes."""
        return f"hanbae/{self.first.environment}-to-{self.second.environment}"

    def forget(self) -> None:
        """Take away the branch that was pushed, where none was opened of it."""
        demo_repository.git(self.first.clone, "push", "--quiet", "origin", "--delete", self.branch)

    def state(self) -> State:
        """How far the promotion is at the forge."""
        heads = demo_repository.git(
            self.first.clone, "ls-remote", "--heads", "origin", f"refs/heads/{self.branch}"
        ).split()
        pulls = self.forge.ask("GET", f"repos/{self.project}/pulls?state=all", by=OWNER)
        comments = [
            comment
            for pull in pulls
            for comment in self.forge.ask(
                "GET", f"repos/{self.project}/issues/{pull['number']}/comments", by=OWNER
            )
        ]
        statuses = [
            status["context"]
            for head in heads[:1]
            for status in self.forge.ask(
                "GET", f"repos/{self.project}/commits/{head}/status", by=OWNER
            )["statuses"]
            or []
        ]
        return State(len(heads[::2]), len(pulls), len(set(statuses)), len(comments))

    def _promotion(
        self, words: Sequence[str], user: str, to: scenes.Scene | None = None
    ) -> tuple[list[str], dict[str, str]]:
        ends = ("--from", self.first.environment, "--to", (to or self.second).environment)
        variables = {"KUBECONFIG": str(self.first.shop.sandbox.kubeconfig)}
        return ["promote", *ends, *words], variables | (self.login(user) if user else {})

    def deploy(self, service: str, user: str = "") -> scenes.Ended:
        """``hanbae deploy`` to the second, as its deployer and as a user of the forge."""
        words = ("deploy", service, "--env", self.second.environment, "--output", "json")
        variables = self.second.deployer() | (self.login(user) if user else {})
        return scenes.hanbae(*words, directory=self.second.clone, **variables)


@contextmanager
def pair(sandbox: running.Sandbox, name: str, service: str) -> Iterator[Pair]:
    """Two environments with one service, nothing of it deployed yet; Argo CD reads them from the forge, by HTTP.

    Args:
        sandbox: The sandbox.
        name: Name of the first; the second is called after it.
        service: The service.
    """
    first = scenes.own(sandbox, name, services=(service,))
    folder = sandbox.site.folder.root / f"forge-{first.environment}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    database = _database(sandbox, first.environment)
    host = (
        sandbox.site.identity.outer
    )  # where the sandbox's own network ends, and Argo CD's way out
    with giteas.running(folder, database, host=host) as forge:
        for user in (OWNER, "ben", "cho", ARGO_CD):
            forge.user(user)
        project = f"{OWNER}/shop"
        url = forge.repository(OWNER, "shop", "ben", "cho", ARGO_CD)
        with _readable(first, forge, project):
            second, trunk = _moved(first, service, f"{forge.url}/{project}.git", url)
            for scene in (second, trunk):
                scenes.clear_later(scene)
            forge.until_filled(project)
            yield Pair(first, second, trunk, forge, project)


@contextmanager
def _readable(scene: scenes.Scene, forge: giteas.Gitea, project: str) -> Iterator[None]:
    """Argo CD has the login that it needs for the repository, as ``argocd repo add`` files it."""
    name, namespace = f"forge-{scene.environment}", scene.shop.policy.argocd.namespace
    login = {"username": ARGO_CD, "password": giteas.PASSWORD}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"argocd.argoproj.io/secret-type": "repository"},
        },
        "stringData": {"type": "git", "url": f"{forge.url}/{project}.git", **login},
    }
    kubectl = scene.argocd.kubectl
    kubectl(["apply", "-f", "-"], stdin=json.dumps(secret).encode())
    try:
        yield
    finally:
        kubectl(["delete", "secret", name, "-n", namespace])


def _moved(
    first: scenes.Scene, service: str, repository: str, remote: str
) -> tuple[scenes.Scene, scenes.Scene]:
    """Take the shop to the forge, and give it two more environments there.

    Args:
        first: The first environment.
        service: The service.
        repository: The address that Argo CD reads.
        remote: The same with the owner's login.

    Returns:
        One with a branch of its own, and one that deploys the first one's.
    """
    clone, branches = first.clone, first.shop.repository
    with values.editing(clone / loading.NAME, loading.NAME) as policy:
        policy.update({("argocd", "repository"): repository})
    demo_repository.git(clone, "remote", "set-url", "origin", remote)
    demo_repository.git(clone, "config", "user.name", "Ann")
    demo_repository.git(clone, "config", "user.email", "ann@example.com")
    name = f"{first.environment}-next"
    second = _following(first, service, name, branch=name, approvals=1)
    trunk = _following(first, service, f"{first.environment}-trunk", branch=first.branch)
    generate_argocd.generate_argocd(clone)
    branches.commit("More environments")
    branches.switch(name, create=True)
    branches.switch(first.branch)
    demo_repository.git(clone, "push", "--quiet", "origin", "--all")
    for scene in (first, second, trunk):
        first.argocd.apply(clone / generate_argocd.FOLDER / scene.environment)
    return second, trunk


def _following(
    first: scenes.Scene, service: str, name: str, *, branch: str, approvals: int = 0
) -> scenes.Scene:
    """Another environment, like the first one; not committed yet."""
    scene = scenes.Scene(first.shop, name)
    clone = first.clone
    overlay = first.shop.policy.environments[first.environment].overlay or ""
    _copied(clone / overlay, clone / overlay.replace(first.environment, name), first, name)
    settings = {
        "branch": branch,
        "sync": "manual",
        "values": f"values-{name}.yaml",
        "overlay": overlay.replace(first.environment, name),
        "namespace_suffix": f"-{name}",
        "approvals": approvals,
    }
    with values.editing(clone / loading.NAME, loading.NAME) as policy:
        policy.update({("environments", name, key): value for key, value in settings.items()})
    for other in first.shop.services:
        own = clone / naming.values_file(first.shop.policy, other, first.environment)
        own.with_name(f"values-{name}.yaml").write_text(
            own.read_text().replace(first.environment, name)
        )
    first.shop.prepare_namespaces(name)
    scene.seal(service)
    return scene


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
