"""A sandbox as its users see it: bring it up, use it from Python, take it down.

::

    sandbox = running.up("default")
    sandbox.kubectl(["get", "nodes"])
    sandbox.push_credentials(["services-dev"])
    running.down("default")
"""

from __future__ import annotations

import base64
import functools
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from hanbae import errors, masking, wording
from hanbae.sandbox import (
    argocd_roles,
    binaries,
    certificates,
    cgroups,
    components,
    database_access,
    folders,
    identities,
    namespaces,
    node,
    part_runner,
    passwords,
    pid1_start,
    probing,
    sites,
)

#: What a person uses; the rest of the programs would hide the machine's own (``ip``, ``iptables``).
TOOLS: Final = ("argocd", "goose", "helm", "kubectl", "kubeseal", "kustomize", "pg_isready", "psql")
_LOGINS: Final = "docker"
"""The folder that ``DOCKER_CONFIG`` names."""


class _Ready(msgspec.Struct, frozen=True):
    """Content of ``ready.json``: the folder of programs, and how long it took to be Ready."""

    programs: str
    seconds: float


class Silent:
    """A progress that nobody follows."""

    def started(self, component: str, estimate_s: float, remaining_s: float) -> None:
        """Nobody is told."""

    def finished(self, component: str, seconds: float, *, cached: bool) -> None:
        """Nobody is told."""

    def note(self, text: wording.Text) -> None:
        """Nobody is told."""


@dataclass(frozen=True)
class Registry:
    """The registry that the cluster pulls the user's images from.

    Attributes:
        address: Host and port, the same for the machine and in image names.
        username: The only user.
        password: Its password.
    """

    address: str
    username: str
    password: masking.Masked


@dataclass(frozen=True)
class ArgoCD:
    """Argo CD's API server.

    Attributes:
        url: Where it is; plain HTTP.
        username: The administrator.
        password: The administrator's password.
    """

    url: str
    username: str
    password: masking.Masked


class Sandbox:
    """A sandbox that is up.

    Args:
        site: What it is made of.
    """

    def __init__(self, site: sites.Site) -> None:
        self.site = site

    @property
    def name(self) -> str:
        """The sandbox's name."""
        return self.site.folder.name

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig; its only context is ``hanbae-<name>``."""
        return self.site.folder.kubeconfig

    @property
    def context(self) -> str:
        """The context's name in :attr:`kubeconfig`."""
        return f"hanbae-{self.name}"

    @property
    def binaries(self) -> binaries.Binaries:
        """Every program that the sandbox runs."""
        return self.site.programs

    @property
    def git_folder(self) -> Path:
        """Bare repositories in here are read by Argo CD as ``file://…``."""
        return self.site.folder.git

    @property
    def registry(self) -> Registry:
        """The registry, and how to log in."""
        address = node.registry(self.site)
        return Registry(address, passwords.REGISTRY, self.site.passwords.registry)

    @property
    def argocd(self) -> ArgoCD:
        """Argo CD's API, and how to log in."""
        url = f"http://{self.site.identity.inner}:{argocd_roles.PORT}"
        return ArgoCD(url, passwords.ARGOCD, self.site.passwords.argocd)

    @property
    def postgres(self) -> database_access.Postgres:
        """PostgreSQL, and how to log in as the superuser."""
        return database_access.Postgres(
            self.site.identity.inner,
            database_access.PORT,
            passwords.POSTGRES,
            self.site.passwords.postgres,
        )

    @property
    def databases(self) -> database_access.Databases:
        """Makes databases and their owners."""
        return database_access.Databases(self.postgres)

    def kubectl(self, arguments: Sequence[str], *, stdin: bytes | None = None) -> bytes:
        """Run kubectl as the administrator.

        Args:
            arguments: The words after ``kubectl``. Nothing secret: they can be seen by others.
            stdin: What it reads, such as manifests with secrets in them.

        Returns:
            Its standard output.

        Raises:
            errors.Failed: It failed; its words are in the error.
        """
        return self.site.kubectl(*arguments, stdin=stdin)

    def apply(self, folder: Path) -> None:
        """``kubectl apply -k`` of a folder with what hanbae has generated, as the administrator.

        Args:
            folder: Has a ``kustomization.yaml``.

        Raises:
            errors.Failed: It failed; its words are in the error.
        """
        # Without the schemas of every kind, which cost kubectl half a second of CPU: it knows Kubernetes' own kinds,
        # and hanbae's files are held against schemas elsewhere.
        self.kubectl(["apply", "--validate=false", "--openapi-patch=false", "-k", str(folder)])

    def kubeconfig_of(self, account: str, namespace: str) -> Path:
        """A kubeconfig for a ServiceAccount, with a token of a day, as a pipeline would be given one.

        Args:
            account: The account's name.
            namespace: Where it is.

        Raises:
            errors.Failed: There is no such account.
        """
        token = self.kubectl(["create", "token", account, "-n", namespace, "--duration", "24h"])
        config = json.loads(self.site.kubeconfig.read_text())
        config["users"] = [{"name": self.context, "user": {"token": token.decode().strip()}}]
        path = self.site.folder.root / f"{namespace}.{account}.kubeconfig"
        folders.write(path, json.dumps(config))
        return path

    def push_credentials(self, into: Iterable[str], *, name: str = "registry-credentials") -> None:
        """Make the imagePullSecret for the sandbox's registry.

        Args:
            into: Namespaces that exist.
            name: The secret's name.
        """
        config = _logins(self.site).encode()
        items = [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "kubernetes.io/dockerconfigjson",
                "metadata": {"name": name, "namespace": namespace},
                "data": {".dockerconfigjson": base64.b64encode(config).decode()},
            }
            for namespace in into
        ]
        document = json.dumps({"apiVersion": "v1", "kind": "List", "items": items}).encode()
        self.site.apply("-f", "-", stdin=document)

    def environment(self) -> dict[str, str]:
        """Variables with which kubectl, argocd, kubeseal, helm, goose, psql and hanbae just work; no passwords.

        ``PATH`` holds only what has to be put in front of the caller's own.
        """
        root, inner = self.site.folder.root, self.site.identity.inner
        return {
            "KUBECONFIG": str(self.kubeconfig),
            "PATH": str(root / "bin"),
            "ARGOCD_SERVER": f"{inner}:{argocd_roles.PORT}",
            "ARGOCD_OPTS": "--plaintext",
            "ARGOCD_CONFIG_DIR": str(root / "argocd-cli"),
            "PGHOST": inner,
            "PGPORT": str(database_access.PORT),
            "PGUSER": passwords.POSTGRES,
            "PGPASSFILE": str(root / "pgpass"),
            "DOCKER_CONFIG": str(root / _LOGINS),
            "HANBAE_PLAIN_REGISTRIES": self.registry.address,
            "HANBAE_SANDBOX": self.name,
            "HANBAE_SANDBOX_REGISTRY": self.registry.address,
            "HANBAE_SANDBOX_GIT": str(self.git_folder),
        }

    def down(self) -> None:
        """Take it down; see :func:`down`."""
        down(self.name)


def require(progress: binaries.Progress) -> None:
    """Make sure that this machine can run a sandbox, before anything is changed.

    Args:
        progress: Told of each thing that is missing.

    Raises:
        errors.Lacking: Something is.
    """
    lacking = binaries.lacking()
    for text in lacking:
        progress.note(text)
    if lacking:
        raise errors.Lacking("sandbox.lacking")


def up(name: str = "default", *, progress: binaries.Progress | None = None) -> Sandbox:
    """Bring a sandbox up, or complete or repair one that is there; nothing happens to one that is Ready.

    Call it in the main thread. Interrupted at any point, calling it again goes on.

    Args:
        name: Which one: lower-case letters, digits and hyphens.
        progress: Told of every program and component.

    Raises:
        errors.Lacking: This machine cannot run a sandbox.
        errors.Failed: A component did not come up: which, its last words, its log.
        errors.Refused: Another ``up`` or ``down`` of this sandbox does not end; or it is running, and was made by a
            hanbae whose sandboxes cannot be carried over.
        errors.WrongUse: The name is not usable.
    """
    progress = progress or Silent()
    folder = folders.of(name)
    require(progress)
    programs = binaries.obtain(progress=progress)
    waiting = wording.Text("sandbox.waiting", {"name": name})
    with folder.locked(lambda: progress.note(waiting)):
        return _up(folder, programs, progress)


def _up(
    folder: folders.Folder, programs: binaries.Binaries, progress: binaries.Progress
) -> Sandbox:
    began = time.monotonic()
    living = namespaces.Namespaces(folder)
    identity_before = identities.load(folder)
    lives = living.settle()
    # Process 1 and what it has made of its namespaces stay as they are for as long as it lives. Those of an older
    # hanbae show only the programs that they were made with, where covers hide the cache.
    if lives and (
        (identity_before is not None and identity_before.format != identities.FORMAT)
        or not living.shows(programs.root.resolve())
    ):
        raise errors.Refused("sandbox.other-format", name=folder.name)
    # It was made before and its process 1 is gone: first goes what that has left outside the folder.
    if identity_before is not None and not lives:
        _clear(folder)
        rebooted = (
            identity_before.boot != identities.boot() or identity_before.format != identities.FORMAT
        )
        if rebooted or not folder.ready.exists():
            # What never was whole is not worth mending, nor is what a reboot may have torn, since
            # etcd and PostgreSQL run without fsync: making it takes 15 s.
            folder.remove(keep_logs=True)
            progress.note(wording.Text("sandbox.rebuilding", {"name": folder.name}))
        else:
            progress.note(wording.Text("sandbox.repairing", {"name": folder.name}))
    folder.make()
    identity = identities.claim(folder, programs.path("ip"), programs.environment())
    certificates.make(folder, identity)
    site = sites.Site(folder, identity, programs, passwords.load(folder), living)
    if not lives:
        pid1_start.launch(folder, identity, programs)
    starter = part_runner.Starter(site)
    with living.network() as network:
        enter = functools.partial(probing.enter_network, network)
        starter.run(components.parts(site, starter), progress, enter=enter)
    _tools(site)
    # After an upgrade the daemons run the new programs, and `attach` finds out here which these are.
    if not folder.ready.exists() or _recorded(folder).programs != str(programs.root):
        ready = _Ready(str(programs.root), round(time.monotonic() - began, 2))
        folders.write(folder.ready, msgspec.json.encode(ready))
    return Sandbox(site)


def attach(name: str = "default") -> Sandbox:
    """A sandbox that has been brought up already.

    Raises:
        errors.Unreachable: It is not running, or never came up wholly.
    """
    folder = folders.of(name)
    living, identity = namespaces.Namespaces(folder), identities.load(folder)
    if identity is None or not living.alive() or not folder.ready.exists():
        raise errors.Unreachable("sandbox.not-running", name=name)
    programs = binaries.Binaries(Path(_recorded(folder).programs))
    return Sandbox(sites.Site(folder, identity, programs, passwords.load(folder), living))


def down(
    name: str = "default",
    *,
    keep_logs: bool = False,
    progress: binaries.Progress | None = None,
) -> bool:
    """Take a sandbox down: processes, interfaces, cgroups, folder. Whatever state it is in.

    Args:
        name: Which one.
        keep_logs: Leave its ``logs`` folder.
        progress: Told if somebody else has to be waited for.

    Returns:
        Whether there was anything.

    Raises:
        errors.Failed: Something could not be removed.
        errors.Refused: Another ``up`` or ``down`` of it does not end.
    """
    progress = progress or Silent()
    folder = folders.of(name)
    waiting = wording.Text("sandbox.waiting", {"name": name})
    with folder.locked(lambda: progress.note(waiting), deadline_s=120):
        if not folder.root.exists():
            return False
        living = namespaces.Namespaces(folder)
        if living.settle():
            living.kill()
        # The folder goes last: its identity and its cgroups.json name what has to be removed outside.
        _clear(folder)
        folder.remove(keep_logs=keep_logs)
        return True


def _clear(folder: folders.Folder) -> None:
    """Remove what a dead sandbox leaves outside its folder; its names follow from the folder alone."""
    identity = identities.load(folder) or identities.derive(folder.root, ())
    if not pid1_start.await_link_gone(identity, deadline_s=10):
        raise errors.Failed("sandbox.link-left", link=identity.link)
    # Written before anything is switched on (see `pid1_start.launch`): without it nothing was.
    switched_file = folder.root / "cgroups.json"
    switched = json.loads(switched_file.read_bytes()) if switched_file.exists() else {}
    groups = cgroups.remove(identity.cgroup, cgroups.hierarchies(), switched)
    if groups:
        raise errors.Failed("sandbox.cgroups-left", groups=", ".join(map(str, groups)))


def _recorded(folder: folders.Folder) -> _Ready:
    return msgspec.json.decode(folder.ready.read_bytes(), type=_Ready)


def _tools(site: sites.Site) -> None:
    """A folder for ``PATH`` with what people use, and the files with the passwords of psql and of the registry."""
    folder = site.folder.root / "bin"
    folder.mkdir(exist_ok=True)
    for name in TOOLS:
        link, target = folder / name, site.programs.path(name)
        if not link.is_symlink() or link.readlink() != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    password = site.passwords.postgres.unmask().decode()
    line = f"{site.identity.inner}:{database_access.PORT}:*:{passwords.POSTGRES}:{password}\n"
    # libpq ignores a password file that others can read; this one gets mode 0600.
    folders.write(site.folder.root / "pgpass", line)
    folders.write(site.folder.root / _LOGINS / "config.json", _logins(site))


def _logins(site: sites.Site) -> str:
    """What ``docker login`` would write for the sandbox's registry."""
    auth = passwords.basic(passwords.REGISTRY, site.passwords.registry)
    return json.dumps({"auths": {node.registry(site): {"auth": auth}}})
