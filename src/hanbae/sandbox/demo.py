"""The main job from nothing: an empty machine, and at the end three services proven in three environments.

It does what a team would do with the commands, through the same actions, on a sandbox that it brings up itself::

    secrets seal → image set → generate rbac → commit and push → generate argocd → kubectl apply -k → deploy

The second environment's images are not set: they are promoted from the first one, once they are proven there.
Each environment is deployed to by its own deployer, who may do nothing else.
Whatever an earlier demo left when it was stopped is thrown away first: a file in the sandbox's folder says that the
sandbox belongs to a demo.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from hanbae import errors, loops, wording, workspaces
from hanbae.actions import generate_argocd
from hanbae.deploying import preparing, runs
from hanbae.history import stores
from hanbae.migrations import goose_files
from hanbae.policy import naming
from hanbae.results import deployments, events
from hanbae.sandbox import (
    binaries,
    demo_promotion,
    demo_repository,
    demo_shop,
    folders,
    namespaces,
    running,
)

_MARK: Final = "demo"
_CLONE: Final = "shop"
#: Where a branch of the environments begins; production's own.
_TRUNK: Final = "main"


class Telling(binaries.Progress, demo_promotion.Telling, Protocol):
    """How a caller follows the demo."""

    def watching(self) -> AbstractContextManager[Callable[[events.Event], None]]:
        """Follows the deployments to one environment: gives what is to be called with each event."""


@dataclass(frozen=True)
class Outcome:
    """What a demo came to.

    Attributes:
        deployments: One per service and environment, in the order of environments.
        unproven: Those that are not proven, as ``service/environment``.
        clone: The working copy of the repository; gone unless the sandbox was kept.
        seconds: What the main job took, without the sandbox.
        kept: Whether the sandbox goes on running.
    """

    deployments: tuple[deployments.Deployment, ...]
    unproven: tuple[str, ...]
    clone: Path
    seconds: float
    kept: bool


def run(telling: Telling, *, name: str = "default", keep: bool = False) -> Outcome:
    """Run the demo. Call it in the main thread; interrupted at any point, calling it again succeeds.

    Args:
        telling: Follows it.
        name: Which sandbox. One that was made before, and not for a demo, is used and left running.
        keep: Leave the sandbox running.

    Raises:
        errors.Lacking: This machine cannot run a sandbox.
        errors.Refused: Another demo runs on this sandbox.
        errors.Error: It could not be brought to its end.
    """
    source = demo_repository.example()
    running.require(telling)
    folder = folders.of(name)
    with _alone(folder):
        if (folder.root / _MARK).exists():
            telling.note(wording.Text("demo.starting-over", {"name": name}))
            running.down(name, progress=telling)
        if _is_somebodys(folder):
            return _on(running.up(name, progress=telling), source, telling, stays_up=True)
        return _on_its_own(folder, source, telling, keep=keep)


def _on_its_own(folder: folders.Folder, source: Path, telling: Telling, *, keep: bool) -> Outcome:
    """Run it on a sandbox that goes with it, unless it is to be kept; after a failure the logs stay."""
    proven = stopped = False
    try:
        # Before anything else of it exists, so that the next demo knows whose it is.
        folder.root.mkdir(mode=0o700, exist_ok=True)
        folders.write(folder.root / _MARK, "")
        sandbox = running.up(folder.name, progress=telling)
        # Rebuilding a sandbox that was dead has removed it.
        folders.write(folder.root / _MARK, "")
        outcome = _on(sandbox, source, telling, stays_up=keep)
        proven = not outcome.unproven
    except KeyboardInterrupt:
        stopped = True
        raise
    else:
        return outcome
    finally:
        if not keep:
            telling.step(wording.Text("demo.cleaning", {"name": folder.name}))
            keep_logs = not (proven or stopped)
            running.down(folder.name, keep_logs=keep_logs, progress=telling)
            if keep_logs:
                telling.note(wording.Text("demo.logs-kept", {"folder": str(folder.logs)}))


def _on(sandbox: running.Sandbox, source: Path, telling: Telling, *, stays_up: bool) -> Outcome:
    with _logged_in(sandbox):
        return loops.run(_main_job(sandbox, source, telling, stays_up=stays_up))


async def _main_job(
    sandbox: running.Sandbox, source: Path, telling: Telling, *, stays_up: bool
) -> Outcome:
    began = time.monotonic()
    shop = await _publish(sandbox, source, telling)
    # Argo CD is told of everything at once, as it would be by the team's pipeline: dev begins by itself.
    telling.step(wording.Text("demo.argocd"))
    for environment in shop.environments:
        shop.apply(f"{generate_argocd.FOLDER}/{environment}")
    ended: list[deployments.Deployment] = []
    reached: list[str] = []
    first, following = promoted(shop)
    for environment in shop.environments:
        if environment == following:
            await demo_promotion.carry_out(shop, first, following, telling)
        telling.step(wording.Text("demo.deploying", {"environment": environment}))
        reached.append(environment)
        ended += await deploy_all(shop, environment, telling)
        if any(deployment.outcome != "succeeded" for deployment in ended):
            break  # nothing is promoted or deployed on top of what has failed
    promised = {pair: files for pair, files in expected(shop).items() if pair[1] in reached}
    return Outcome(
        deployments=tuple(ended),
        unproven=tuple(unproven(promised, ended)),
        clone=shop.repository.clone,
        seconds=time.monotonic() - began,
        kept=stays_up,
    )


async def _publish(sandbox: running.Sandbox, source: Path, telling: Telling) -> demo_shop.Shop:
    """Everything up to the push: repository, namespaces, images, databases, sealed secrets, values."""
    root = sandbox.site.folder.root
    telling.step(wording.Text("demo.repository"))
    # The demo's deployments are not the user's: they stay in its own history.
    history = f"sqlite:///{root / 'history.db'}"
    # A policy may name a history outside of its clone only if that exists.
    stores.open_store(history).close()
    shop = demo_shop.create(sandbox, source, root / _CLONE, edits={"history.url": history})
    generate_argocd.generate_argocd(shop.repository.clone)
    shop.repository.commit("Read the repository from here")
    shop.repository.push(_TRUNK)
    telling.step(wording.Text("demo.images", {"registry": sandbox.registry.address}))
    images = {service: await shop.push(service) for service in shop.services}
    for environment in shop.environments:
        telling.step(wording.Text("demo.preparing", {"environment": environment}))
        shop.prepare_namespaces(environment)
        branch = shop.policy.environments[environment].branch or _TRUNK
        shop.repository.switch(_TRUNK)
        if branch != _TRUNK:
            shop.repository.switch(branch, create=True)
        for service in shop.services:
            await shop.seal_all(service, environment)
            shop.declare_endpoint(service, environment)
            if environment == promoted(shop)[1]:
                shop.name_image(service, environment, images[service])
            else:
                await shop.use_image(service, environment, images[service])
        await shop.authorise(environment)
        shop.repository.commit(f"Images, secrets and deployer of {environment}")
        shop.repository.push(branch)
    return shop


def promoted(shop: demo_shop.Shop) -> tuple[str, str]:
    """The environment from which the demo promotes, and the one that it promotes to."""
    source, target, *_ = shop.environments
    return source, target


async def deploy_all(
    shop: demo_shop.Shop, environment: str, telling: Telling, *, services: Sequence[str] = ()
) -> list[deployments.Deployment]:
    """``hanbae deploy`` of services, or of all that the environment's branch has.

    Returns:
        What became of each, in the order of the plan.
    """
    kubeconfig = shop.deployer(environment)
    with workspaces.opened(shop.repository.clone, kubeconfig=kubeconfig) as space:
        prepared = await preparing.prepare(space, tuple(services), environment)
        with telling.watching() as watch:
            async with runs.deploying_all(space, prepared) as stream:
                async for event in stream:
                    watch(event)
        return [space.store.deployment(deployment) for deployment in prepared.plans]


Databases = Mapping[str, tuple[int, int]]
"""Database → number of migration files, and the version of the last."""


def expected(shop: demo_shop.Shop) -> dict[tuple[str, str], Databases]:
    """What has to be proven: service and environment → its databases, from the files that were pushed."""
    databases: dict[tuple[str, str], Databases] = {}
    for environment in shop.environments:
        for service in shop.services:
            folder = shop.repository.clone / naming.migrations_folder(shop.policy, service)
            counted = {}
            for database in shop.declared(service, environment):
                names = [path.name for path in (folder / database.directory).glob("*.sql")]
                versions = goose_files.versions(names)
                counted[database.name] = (len(versions), versions[-1])
            databases[service, environment] = counted
    return databases


def unproven(
    promised: Mapping[tuple[str, str], Databases], ended: Sequence[deployments.Deployment]
) -> Iterator[str]:
    """The pairs of service and environment that did not succeed, or whose databases are not all proven."""
    by_pair = {(deployment.service, deployment.environment): deployment for deployment in ended}
    for pair, databases in promised.items():
        deployment = by_pair.get(pair)
        if deployment is not None and deployment.outcome == "succeeded":
            proven = {m.database: (m.files, m.version) for m in deployment.migrations}
            if proven == databases:
                continue
        yield "/".join(pair)


@contextmanager
def _logged_in(sandbox: running.Sandbox) -> Iterator[None]:
    """The gates ask the sandbox's registry, as they may in a shell after ``hanbae sandbox env``."""
    names = ("DOCKER_CONFIG", "HANBAE_PLAIN_REGISTRIES")
    before = {name: os.environ.get(name) for name in names}
    os.environ |= {name: sandbox.environment()[name] for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _alone(folder: folders.Folder) -> Iterator[None]:
    """Exclude another demo on the same sandbox; the lock is the kernel's and ends with its process."""
    with (folder.root.parent / f".{folder.name}.demo.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise errors.Refused("demo.running", name=folder.name) from None
        yield


def _is_somebodys(folder: folders.Folder) -> bool:
    """Whether there is a sandbox with something in it, or one that somebody brings up; it may have been stopped."""
    return folder.ready.exists() or namespaces.Namespaces(folder).alive()
