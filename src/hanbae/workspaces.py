"""What every action needs: the policy, the repository, the clusters, the history, and the world's clock and dice.

Actions get it from outside, so that tests give another clock and other ids, and so that nothing below reads the
environment by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal

import msgspec

from hanbae import errors, patterns, subjects
from hanbae.argocd_api import connections as argocd
from hanbae.clusters import connections, kinds, outages, reading
from hanbae.history import database_files, locations, stores
from hanbae.policy import documents, environments, loading, naming
from hanbae.repository import checkouts
from hanbae.repository import services as repository_services
from hanbae.results import events

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's: no letter that looks like a digit."""
_OF_ARGO_CD: Final = frozenset(
    name
    for kind in (kinds.APPLICATION, kinds.APPLICATIONSET, kinds.APPPROJECT)
    for name in (kind.resource, kind.kind.lower())
)
"""What kubectl calls the kinds of Argo CD's own objects."""


def _now() -> datetime:
    return datetime.now(UTC)


def _nobody(event: events.Event) -> None:
    """Tell nobody."""


_ID: Final = patterns.lazy(r"\d{8}-\d{6}-[0-9a-z]{6}")
"""As `_id` makes them."""


def is_id(text: str) -> bool:
    """Whether a text has the form of a deployment's whole id."""
    return _ID.fullmatch(text) is not None


def _id() -> str:
    """Sorts by time to the second, then at random; fits into a label and an object's name."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return f"{stamp}-" + "".join(secrets.choice(_ALPHABET) for _ in range(6))


@dataclass(frozen=True)
class Clusters:
    """The two connections of an environment; they may be one.

    Attributes:
        control: Where Argo CD's objects are; the workload's cluster where Argo CD is driven through its API, because
            then nobody needs to know the other one.
        workload: Where the pods are.
        argocd: Argo CD's API, where it is driven through that.
    """

    control: connections.Cluster
    workload: connections.Cluster
    argocd: argocd.Server | None = None

    async def identity(self) -> str:
        """Who we are for whoever lets us deploy: Argo CD's API, or Argo CD's cluster."""
        if self.argocd is not None:
            return await self.argocd.username()
        return await reading.identity(self.control)

    def outlast_restarts(self) -> None:
        """From now on wait for an API server that restarts: what was begun must be seen to its end."""
        for cluster in (self.control, self.workload):
            cluster.outages.patience = outages.RESTART


@dataclass(frozen=True)
class Workspace:
    """A repository with a policy, as one command works on it.

    Attributes:
        loaded: The policy and where its parts stand.
        checkout: The clone.
        store: The history.
        context: kubeconfig context to use instead of the environments' own.
        kubeconfig: kubeconfig file; None for those that kubectl would read.
        insecure: Speak plain HTTP to registries.
        clock: The time.
        ids: Makes the id of a deployment.
        fetching: Held while git fetches: two at once would be in each other's way.
        tells: Is given each event that this process has recorded, and returns at once.
        driven: The environments that another engine drives than the policy's, for which no rights are generated.
    """

    loaded: loading.Loaded
    checkout: checkouts.Checkout
    store: stores.Store
    context: str | None = None
    kubeconfig: Path | None = None
    insecure: bool = False
    clock: Callable[[], datetime] = field(default=_now)
    ids: Callable[[], str] = field(default=_id)
    fetching: asyncio.Lock = field(default_factory=asyncio.Lock)
    tells: Callable[[events.Event], None] = field(default=_nobody)
    driven: frozenset[str] = frozenset()

    @property
    def policy(self) -> documents.Policy:
        """The policy."""
        return self.loaded.policy

    def environment(self, name: str) -> documents.Environment:
        """An environment that pods are deployed to.

        Raises:
            hanbae.errors.WrongUse: The policy has none of this name, or it is not on Kubernetes.
        """
        place = self.loaded.place(f"environments.{name}.platform")
        return environments.require(name, self.policy, place=place)

    async def head(self, environment: str) -> str:
        """The commit at the head of an environment's branch, as the remote has it now.

        Raises:
            hanbae.errors.WrongUse: The environment has no branch, or the remote has not.
            hanbae.errors.Unreachable: The remote did not answer.
        """
        branch = self.environment(environment).branch
        if branch is None:
            raise errors.WrongUse(
                "workspace.no-branch",
                place=self.loaded.place(f"environments.{environment}"),
                environment=environment,
            )
        remote = self.policy.argocd.remote
        async with self.fetching:
            await asyncio.to_thread(self.checkout.fetch, remote, [branch])
            return self.checkout.head(remote, branch)

    async def heads(self, names: Iterable[str]) -> dict[str, str | errors.Error]:
        """Environment → the commit at the head of its branch, or why it is not known; the remote is asked once.

        Args:
            names: The environments.
        """
        environment_names = tuple(names)
        branches = {self.environment(name).branch for name in environment_names} - {None}
        remote = self.policy.argocd.remote
        failure: errors.Error | None = None
        if branches:
            try:
                async with self.fetching:
                    await asyncio.to_thread(self.checkout.fetch, remote, sorted(map(str, branches)))
            except errors.Error as error:
                failure = error
        return {name: await self._head(name, failure) for name in environment_names}

    async def _head(self, environment: str, failure: errors.Error | None) -> str | errors.Error:
        """The head of an environment's branch after all of them were fetched, or were not."""
        branch = self.environment(environment).branch
        try:
            if branch is None or isinstance(failure, errors.WrongUse):
                # git fetches no branch at all where the remote lacks one: each is asked for by itself.
                return await self.head(environment)
            return failure or self.checkout.head(self.policy.argocd.remote, branch)
        except errors.Error as error:
            return error

    def driven_by(self, environment: str, engine: Literal["argocd", "helm"]) -> Workspace:
        """The same workspace, with another engine for an environment than the policy names.

        Raises:
            hanbae.errors.WrongUse: The policy has no such environment, or it is not on Kubernetes.
        """
        settings = msgspec.structs.replace(self.environment(environment), engine=engine)
        with_settings = {**self.policy.environments, environment: settings}
        policy = msgspec.structs.replace(self.policy, environments=with_settings)
        loaded = msgspec.structs.replace(self.loaded, policy=policy)
        return replace(self, loaded=loaded, driven=self.driven | {environment})

    def refuse_unknown(self, services: Iterable[str], environment: str) -> None:
        """Refuse an environment that is not there, and services that exist neither here nor on its fetched branch.

        Raises:
            hanbae.errors.WrongUse: No such environment on Kubernetes, or a service is neither in the working tree nor
                on the branch as it was last fetched.
        """
        self.environment(environment)
        names = tuple(services)
        if not names:
            return  # what is in the working tree is nobody's question
        present = repository_services.of_checkout(self.loaded)
        if set(names) <= set(present):
            return
        branch = self.environment(environment).branch
        fetched: tuple[str, ...] = ()
        if branch is not None:
            with contextlib.suppress(errors.WrongUse):  # never fetched, or no such remote
                commit = self.checkout.head(self.policy.argocd.remote, branch)
                revision = self.checkout.revision(commit)
                fetched = repository_services.every(self.policy, revision)
        existing = tuple(dict.fromkeys((*present, *fetched)))
        source = repository_services.source(self.policy)
        repository_services.require(names, existing, source=source)

    def typed(self, environment: str, command: tuple[str, ...]) -> tuple[str, ...]:
        """A command about an environment's objects, complete: kubectl asks the cluster that the policy names.

        Args:
            environment: The environment.
            command: The words; those of other programs stay as they are.
        """
        if command[:1] != ("kubectl",) or "--context" in command:
            return command
        settings = self.environment(environment)
        is_control = self._is_about_argo_cd(environment, command)
        named = environments.control(settings) if is_control else environments.workload(settings)
        context = self.context or named
        return (*command, "--context", context) if context else command

    def _is_about_argo_cd(self, environment: str, command: tuple[str, ...]) -> bool:
        """Whether a command of kubectl is about Argo CD's objects or its own pods, which are where these are."""
        verb, kind = (*command[1:3], "", "")[:2]
        # Behind `logs` stands the name of a pod, which may be called anything.
        if verb != "logs" and kind.partition("/")[0].partition(".")[0] in _OF_ARGO_CD:
            return True
        namespace = self.policy.argocd.namespace
        return _namespace(command) == namespace and namespace not in (
            naming.namespaces_of_services(self.policy, environment)
        )

    @asynccontextmanager
    async def clusters(self, environment: str, *, granted: bool = True) -> AsyncIterator[Clusters]:
        """The connections of an environment.

        Args:
            environment: The environment.
            granted: Whether ``hanbae generate rbac`` gives the rights for what is going to be done, so that an error
                may say so.

        Raises:
            hanbae.errors.WrongUse: No such context; no address of Argo CD's API, or no token for it.
        """
        settings = self.environment(environment)
        granted = granted and environment not in self.driven
        control = self.context or environments.control(settings)
        workload = self.context or environments.workload(settings)
        if environments.by_helm(self.policy, environment):
            # Nobody needs Argo CD's cluster.
            async with self._connected(environment, "workload", workload, granted=granted) as pods:
                yield Clusters(pods, pods)
            return
        if settings.transport == "argocd-api":
            where = self.policy.argocd
            async with (
                self._connected(environment, "workload", workload, granted=granted) as pods,
                argocd.connect(where.server, plaintext=where.plaintext) as server,
            ):
                yield Clusters(pods, pods, server)
            return
        async with self._connected(environment, "control", control, granted=granted) as first:
            if workload == control:
                yield Clusters(first, first)
                return
            async with self._connected(
                environment, "workload", workload, granted=granted
            ) as second:
                yield Clusters(first, second)

    @asynccontextmanager
    async def _connected(
        self,
        environment: str,
        part: Literal["control", "workload"],
        context: str | None,
        *,
        granted: bool,
    ) -> AsyncIterator[connections.Cluster]:
        """One of an environment's connections, which knows how its rights are granted."""
        grant = ""
        if granted:
            folder = naming.rbac_folder(self.environment(environment), environment, part)
            grant = f"hanbae generate rbac --env {environment} && kubectl apply -k {folder}"
            if context:
                grant += f" --context {context}"
        try:
            async with connections.connect(
                context, kubeconfig=self.kubeconfig, grant=grant
            ) as cluster:
                yield cluster
        except errors.WrongUse as error:
            # What the block raises comes by here, too, such as the fault of the other connection,
            # which has its place by then.
            absent = {"cluster.no-contexts", "cluster.unknown-context"}
            if error.text.id in absent and self.context is None:
                # The policy names the context: a person mends it there, or in the kubeconfig.
                error.place = error.place or self._context_place(environment, part)
            raise

    def _context_place(
        self, environment: str, part: Literal["control", "workload"]
    ) -> subjects.Place:
        """Where the policy names the context of a connection."""
        settings = self.environment(environment)
        key = part if part == "workload" and settings.workload else "control"
        return self.loaded.place(f"environments.{environment}.{key}")


def _namespace(command: tuple[str, ...]) -> str:
    """The namespace that a command of kubectl names; empty for none."""
    for word, following in pairwise((*command, "")):
        if word in {"-n", "--namespace"}:
            return following
        if word.startswith("--namespace="):
            return word.removeprefix("--namespace=")
    return ""


def _refuse_tracked(url: str, checkout: checkouts.Checkout, loaded: loading.Loaded) -> None:
    """Refuse a history that came with the branch: what it says was done is gone on with."""
    # Whoever sets the variable has chosen the history; the branch has no say in it.
    if os.environ.get(locations.VARIABLE):
        return
    location = locations.resolve(url, os.environ)
    if not isinstance(location, locations.File):
        return
    path = location.path
    # SQLite replays what lies in a journal or a write-ahead log beside the file, so these count as
    # the history, too.
    for end in ("", *database_files.COMPANIONS):
        file = path.with_name(path.name + end)
        if checkout.tracks(file):
            raise errors.Refused(
                "history.tracked",
                place=loaded.place("history.url"),
                file=file.relative_to(checkout.root).as_posix(),
                variable=locations.VARIABLE,
            )


@contextmanager
def opened(
    directory: Path,
    *,
    context: str | None = None,
    kubeconfig: Path | None = None,
    insecure: bool = False,
) -> Iterator[Workspace]:
    """The workspace of a folder.

    Args:
        directory: The repository, or a folder in it.
        context: kubeconfig context for both connections.
        kubeconfig: kubeconfig file.
        insecure: Speak plain HTTP to registries.

    Raises:
        hanbae.errors.WrongUse: No policy here, or not a clone.
        hanbae.errors.FileFault: The policy has a fault, or it is not at the clone's root.
        hanbae.errors.Refused: The policy leads to a history that is not the user's.
    """
    loaded = repository_services.opened(directory)
    checkout = checkouts.Checkout.open(loaded.root)
    if checkout.root != loaded.root:
        # Paths in the policy, in the Applications and in commits are relative to one root.
        raise errors.FileFault(
            "workspace.policy-not-at-root",
            place=loaded.place("version"),
            root=str(checkout.root),
        )
    url = locations.trusted(
        loaded.policy.history.url, loaded.root, os.environ, loaded.place("history.url")
    )
    _refuse_tracked(url, checkout, loaded)
    with stores.open_store(url) as store:
        yield Workspace(loaded, checkout, store, context, kubeconfig, insecure)
