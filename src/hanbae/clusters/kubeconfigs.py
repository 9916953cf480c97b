"""Which cluster a context means, as whom, and how it is reached: read as kubectl reads it.

Files are found, merged and judged by the rules of client-go's ``clientcmd``; where kubectl says that a context cannot
be used, it cannot be used here. What is not understood here is refused rather than ignored: a key such as ``as`` that
a tool leaves out makes it act as somebody else.

Order: the file that is given, the files of ``KUBECONFIG``, ``~/.kube/config``, the service account of the pod that
this runs in.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from hanbae import errors, libyaml, subjects

Document = dict[str, Any]

IN_CLUSTER: Final = "in-cluster"
"""What the configuration of a pod is called, which no kubeconfig has."""
_SECTIONS: Final = {"clusters": "cluster", "contexts": "context", "users": "user"}
_FILES: Final = {
    "clusters": ("certificate-authority",),
    "contexts": (),
    "users": ("client-certificate", "client-key", "tokenFile"),
}
_SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_PLUGIN_CONFIG: Final = "client.authentication.k8s.io/exec"
"""The extension of a cluster that its credential plugin is told."""

V1: Final = "client.authentication.k8s.io/v1"
Set = Annotated[str, Meta(min_length=1)]


class _Entry(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """Part of a context; like kubectl's, but what it does not know is a fault."""


class Extension(_Entry, frozen=True):
    """What some program has noted in a kubeconfig for itself."""

    name: str
    extension: Any = None


class Variable(_Entry, frozen=True):
    """An environment variable of a credential plugin."""

    name: Set
    value: str = ""


class Plugin(_Entry, frozen=True, rename="camel"):
    """A program that gives credentials.

    Attributes:
        command: Its path, or its name on ``PATH``.
        api_version: The version of the protocol that it speaks.
        args: Its arguments.
        env: Its environment beside ours.
        install_hint: What to say where it is not installed.
        provide_cluster_info: Whether it is told which cluster it is asked for.
        interactive_mode: Whether it may use the terminal.
    """

    command: Set
    api_version: Literal["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"]
    args: list[str] | None = None
    env: list[Variable] | None = None
    install_hint: str = ""
    provide_cluster_info: bool = False
    interactive_mode: Literal["Never", "IfAvailable", "Always"] | None = None


class Server(_Entry, frozen=True):
    """A cluster of a kubeconfig. Data is base64.

    Attributes:
        server: The API server's address.
        tls_server_name: The name that its certificate must have, instead of the address's.
        insecure_skip_tls_verify: Whether any certificate will do.
        certificate_authority: File of the certificates that its own is signed with.
        certificate_authority_data: The same as data, which wins.
        proxy_url: The proxy in front of it.
    """

    server: Set
    tls_server_name: str = ""
    insecure_skip_tls_verify: bool = False
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    proxy_url: str = ""
    disable_compression: bool = False
    extensions: list[Extension] | None = None

    @property
    def encrypted(self) -> bool:
        """Whether TLS is spoken; kubectl takes an address without a scheme for plain HTTP."""
        return self.server.lower().startswith("https://")

    @property
    def plugin_config(self) -> Any:
        """What a credential plugin is told of this cluster."""
        named = {extension.name: extension.extension for extension in self.extensions or ()}
        return named.get(_PLUGIN_CONFIG)


class User(_Entry, frozen=True):
    """A user of a kubeconfig. Data is base64.

    Attributes:
        as_user: Whom to act as; ``as`` in the file, likewise the three that follow.
        as_uid: The uid to act with.
        as_groups: The groups to act in.
        as_user_extra: More of who to act as.
    """

    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    token: str = ""
    token_file: str = msgspec.field(name="tokenFile", default="")
    username: str = ""
    password: str = ""
    as_user: str = msgspec.field(name="as", default="")
    as_uid: str = ""
    as_groups: list[str] | None = None
    as_user_extra: dict[str, list[str]] | None = None
    auth_provider: Document | None = None
    exec: Plugin | None = None
    extensions: list[Extension] | None = None


class Context(_Entry, frozen=True):
    """A context of a kubeconfig."""

    cluster: str = ""
    user: str = ""
    namespace: str = ""
    extensions: list[Extension] | None = None


def files(path: Path | None, environment: Mapping[str, str]) -> list[Path]:
    """The kubeconfig files that count, in order; those that do not exist are left out, as kubectl does.

    Raises:
        hanbae.errors.WrongUse: The file that is given does not exist.
    """
    if path is not None:
        if not path.is_file():
            raise errors.WrongUse("cluster.no-kubeconfig", file=str(path))
        return [path]
    listed = environment.get("KUBECONFIG", "")
    paths = (
        [Path(part) for part in listed.split(os.pathsep) if part]
        if listed
        else [Path("~/.kube/config").expanduser()]
    )
    return [path for path in paths if path.is_file()]


def merged(paths: Iterable[Path]) -> Document:
    """One configuration from several files: the first one to say something about a name wins.

    Relative file names become absolute, because they are relative to the file that they stand in.

    Raises:
        hanbae.errors.FileFault: A file is not YAML, not a kubeconfig, or names something twice.
    """
    result: Document = {section: [] for section in _SECTIONS}
    for path in paths:
        document = _read(path)
        if not result.get("current-context") and document.get("current-context"):
            result["current-context"] = document["current-context"]
        for section, key in _SECTIONS.items():
            names = {entry["name"] for entry in result[section]}
            for entry in document.get(section) or []:
                if entry["name"] not in names:
                    inner = _absolute(entry.get(key) or {}, _FILES[section], path.parent)
                    result[section].append({"name": entry["name"], key: inner})
    return result


def chosen(configuration: Document, context: str | None) -> str:
    """The context that is meant.

    Raises:
        hanbae.errors.WrongUse: There is no such context, or none is current; the error lists those that there are.
    """
    names = sorted(entry["name"] for entry in configuration["contexts"])
    if not names:
        raise errors.WrongUse("cluster.no-contexts")
    listed = ", ".join(names)
    name = context or configuration.get("current-context")
    if not name:
        raise errors.WrongUse("cluster.no-current-context", contexts=listed)
    if name not in names:
        raise errors.WrongUse("cluster.unknown-context", context=name, contexts=listed)
    return str(name)


def of_context(configuration: Document, name: str) -> tuple[Context, Server, User]:
    """Context, cluster and user of a context; the user is empty when the context has none.

    Raises:
        hanbae.errors.WrongUse: The context points to a cluster or user that is not there; something in them is not
            understood, or contradicts something else.
    """
    context = _converted(_named(configuration, "contexts", name), Context, name)
    server = _converted(_named(configuration, "clusters", context.cluster), Server, name)
    user = _named(configuration, "users", context.user) if context.user else {}
    checked = _converted(user, User, name)
    faults = *_faults_of_server(server), *_faults_of_certificate(checked), *_faults_of_user(checked)
    for text_id, facts in faults:
        raise errors.WrongUse(text_id, place=None, context=name, **facts)
    return context, server, checked


_Faults = Iterator[tuple[str, dict[str, str]]]
"""The texts of what kubectl refuses."""


def _faults_of_server(server: Server) -> _Faults:
    if server.insecure_skip_tls_verify:
        for key, value in (
            ("certificate-authority", server.certificate_authority),
            ("certificate-authority-data", server.certificate_authority_data),
        ):
            if value:
                yield _both("insecure-skip-tls-verify", key)


def _faults_of_certificate(user: User) -> _Faults:
    if user.client_certificate and user.client_certificate_data:
        yield _both("client-certificate", "client-certificate-data")
    if user.client_key and user.client_key_data:
        yield _both("client-key", "client-key-data")
    certificate = user.client_certificate or user.client_certificate_data
    if certificate and not (user.client_key or user.client_key_data):
        yield _without("client-certificate", "client-key")


def _faults_of_user(user: User) -> _Faults:
    if user.auth_provider:
        yield "cluster.unsupported-key", {"key": "auth-provider", "instead": "exec"}
    ways = {
        "token": user.token or user.token_file,
        "username": user.username or user.password,
        "exec": user.exec,
    }
    ways = {way: value for way, value in ways.items() if value}
    if len(ways) > 1:
        yield _both(*ways)
    if not user.as_user:
        for key, value in (
            ("as-uid", user.as_uid),
            ("as-groups", user.as_groups),
            ("as-user-extra", user.as_user_extra),
        ):
            if value:
                yield _without(key, "as")
    plugin = user.exec
    # v1 asks for the mode; in v1beta1 it is IfAvailable where nothing is said.
    if plugin and plugin.interactive_mode is None and plugin.api_version == V1:
        yield _without("exec", "exec.interactiveMode")


def _both(*keys: str) -> tuple[str, dict[str, str]]:
    return "cluster.keys-exclude", {"keys": ", ".join(keys)}


def _without(key: str, needed: str) -> tuple[str, dict[str, str]]:
    return "cluster.key-needs", {"key": key, "needed": needed}


_Part = TypeVar("_Part", bound=_Entry)


def _converted(entry: Document, kind: type[_Part], context: str) -> _Part:
    try:
        return msgspec.convert(_without_nulls(entry), kind)
    except msgspec.ValidationError as error:
        # Its words name keys and types, and no value.
        raise errors.WrongUse("cluster.bad-context", context=context, why=str(error)) from None


def _without_nulls(value: Any) -> Any:
    """As in Go, a key without a value is one that is not there."""
    if isinstance(value, dict):
        return {key: _without_nulls(child) for key, child in value.items() if child is not None}
    return [_without_nulls(child) for child in value] if isinstance(value, list) else value


def in_cluster(environment: Mapping[str, str], *, folder: Path = _SERVICE_ACCOUNT) -> Document:
    """The configuration of the pod that this runs in; without contexts when it runs in none.

    The token is given as a file, because the kubelet rotates it.
    """
    host = environment.get("KUBERNETES_SERVICE_HOST", "")
    empty: Document = {section: [] for section in _SECTIONS}
    if not host or not (folder / "token").is_file():
        return empty
    address = f"[{host}]" if ":" in host else host
    port = environment.get("KUBERNETES_SERVICE_PORT", "443")
    cluster = {
        "server": f"https://{address}:{port}",
        "certificate-authority": str(folder / "ca.crt"),
    }
    try:
        namespace = (folder / "namespace").read_text("utf-8").strip()
    except OSError:
        namespace = "default"
    name = IN_CLUSTER
    context = {"cluster": name, "user": name, "namespace": namespace}
    return {
        "current-context": name,
        "clusters": [{"name": name, "cluster": cluster}],
        "contexts": [{"name": name, "context": context}],
        "users": [{"name": name, "user": {"tokenFile": str(folder / "token")}}],
    }


def _read(path: Path) -> Document:
    try:
        document = libyaml.load(path.read_bytes())
    except OSError as error:
        raise _bad(path, type(error).__name__) from None
    except libyaml.Fault as fault:
        # A fault without a line is about a value and quotes it, which may be a token: only its kind
        # is told.
        why = str(fault) if fault.line else str(fault).partition(":")[0]
        raise _bad(path, why, line=fault.line) from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise _bad(path, "kind: Config")
    for section, key in _SECTIONS.items():
        entries = document.get(section) or []
        if not isinstance(entries, list) or not all(
            isinstance(entry, dict)
            and isinstance(entry.get("name"), str)
            and isinstance(entry.get(key) or {}, dict)
            for entry in entries
        ):
            raise _bad(path, f"{section}: [{{name: …, {key}: …}}]")
        names = [entry["name"] for entry in entries]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise _bad(path, f"{section}: {twice}, {twice}")
    return document


def _bad(path: Path, why: str, *, line: int = 0) -> errors.FileFault:
    place = subjects.Place(str(path), line=line)
    return errors.FileFault("cluster.bad-kubeconfig", place=place, why=why)


def _absolute(inner: Document, keys: tuple[str, ...], folder: Path) -> Document:
    absolute: Document = {
        key: str(folder.absolute() / inner[key])
        for key in keys
        if isinstance(inner.get(key), str) and inner[key]
    }
    plugin = inner.get("exec")
    command = plugin.get("command") if isinstance(plugin, dict) else None
    if isinstance(command, str) and "/" in command:
        # A bare name is looked up on PATH, anything else is relative to the file.
        absolute["exec"] = {**inner["exec"], "command": str(folder.absolute() / command)}
    return {**inner, **absolute}


def _named(configuration: Document, section: str, name: str) -> Document:
    key = _SECTIONS[section]
    for entry in configuration[section]:
        if entry["name"] == name:
            return dict(entry[key])
    raise errors.WrongUse("cluster.dangling-context", section=section, name=name)
