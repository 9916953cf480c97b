"""Which cluster a context means, found as kubectl finds it.

lightkube reads one file and prefers a pod's own service account; a person's shell has a list of files in
``KUBECONFIG`` and means the first of them.
So the files are read and merged here by kubectl's rules, and lightkube gets a single configuration, from which it
makes authentication and TLS.

Order: the file that is given, the files of ``KUBECONFIG``, ``~/.kube/config``, the service account of the pod that
this runs in.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from hanbae import errors, subjects

Document = dict[str, Any]

_SECTIONS: Final = {"clusters": "cluster", "contexts": "context", "users": "user"}
_FILES: Final = {
    "clusters": ("certificate-authority",),
    "contexts": (),
    "users": ("client-certificate", "client-key", "tokenFile"),
}
_SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_EXEC_V1: Final = "client.authentication.k8s.io/v1"
_EXEC_V1BETA1: Final = "client.authentication.k8s.io/v1beta1"


def files(given: Path | None, environment: Mapping[str, str]) -> list[Path]:
    """The kubeconfig files that count, in order; those that do not exist are left out, as kubectl does.

    Raises:
        hanbae.errors.WrongUse: The file that is given does not exist.
    """
    if given is not None:
        if not given.is_file():
            raise errors.WrongUse("cluster.no-kubeconfig", file=str(given))
        return [given]
    listed = environment.get("KUBECONFIG", "")
    paths = (
        [Path(part).expanduser() for part in listed.split(os.pathsep) if part]
        if listed
        else [Path("~/.kube/config").expanduser()]
    )
    return [path for path in paths if path.is_file()]


def merged(paths: Iterable[Path]) -> Document:
    """One configuration from several files: the first one to say something about a name wins.

    Relative file names become absolute, because they are relative to the file that they stand in.

    Raises:
        hanbae.errors.FileFault: A file is not YAML or not a kubeconfig.
    """
    result: Document = {section: [] for section in _SECTIONS}
    for path in paths:
        document = _read(path)
        if not result.get("current-context") and document.get("current-context"):
            result["current-context"] = document["current-context"]
        for section, key in _SECTIONS.items():
            taken = {entry["name"] for entry in result[section]}
            for entry in document.get(section) or []:
                if entry["name"] not in taken:
                    inner = _absolute(entry.get(key) or {}, _FILES[section], path.parent)
                    result[section].append({"name": entry["name"], key: inner})
    return result


def chosen(configuration: Document, context: str | None) -> str:
    """The context that is meant.

    Raises:
        hanbae.errors.WrongUse: There is no such context, or none is current; the error lists those that there are.
    """
    known = sorted(entry["name"] for entry in configuration["contexts"])
    listed = ", ".join(known) or "-"
    name = context or configuration.get("current-context")
    if not name:
        raise errors.WrongUse("cluster.no-current-context", contexts=listed)
    if name not in known:
        raise errors.WrongUse("cluster.unknown-context", context=name, contexts=listed)
    return str(name)


def of_context(configuration: Document, name: str) -> tuple[Document, Document, Document]:
    """Context, cluster and user of a context; the user is empty when the context has none.

    Raises:
        hanbae.errors.WrongUse: The context points to a cluster or user that is not there.
    """
    context = _named(configuration, "contexts", name)
    cluster = _named(configuration, "clusters", str(context.get("cluster", "")))
    user = _named(configuration, "users", str(context["user"])) if context.get("user") else {}
    return context, cluster, _with_exec_info(user, cluster)


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
    name = "in-cluster"
    context = {"cluster": name, "user": name, "namespace": namespace}
    return {
        "current-context": name,
        "clusters": [{"name": name, "cluster": cluster}],
        "contexts": [{"name": name, "context": context}],
        "users": [{"name": name, "user": {"tokenFile": str(folder / "token")}}],
    }


def _read(path: Path) -> Document:
    place = subjects.Place(str(path))
    try:
        document = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise errors.FileFault(
            "cluster.bad-kubeconfig", place=place, why=type(error).__name__
        ) from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = subjects.Place(str(path), line=mark.line + 1 if mark else 0)
        why = str(getattr(error, "problem", None) or type(error).__name__)
        raise errors.FileFault("cluster.bad-kubeconfig", place=place, why=why) from None
    if document is None:
        return {}
    if not isinstance(document, dict) or not all(
        isinstance(entry, dict) and isinstance(entry.get("name"), str)
        for section in _SECTIONS
        for entry in document.get(section) or []
    ):
        raise errors.FileFault("cluster.bad-kubeconfig", place=place, why="kind: Config")
    return document


def _absolute(inner: Document, keys: tuple[str, ...], folder: Path) -> Document:
    found: Document = {key: str(folder.absolute() / inner[key]) for key in keys if inner.get(key)}
    command = (inner.get("exec") or {}).get("command", "")
    if "/" in command:  # a bare name is looked up on PATH, anything else is relative to the file
        found["exec"] = {**inner["exec"], "command": str(folder.absolute() / command)}
    return {**inner, **found}


def _named(configuration: Document, section: str, name: str) -> Document:
    key = _SECTIONS[section]
    for entry in configuration[section]:
        if entry["name"] == name:
            return dict(entry[key])
    raise errors.WrongUse("cluster.dangling-context", section=section, name=name)


def _with_exec_info(user: Document, cluster: Document) -> Document:
    """The user with what a credential plugin is promised.

    lightkube knows the protocol's v1beta1 and does not tell the plugin which version is spoken; v1 differs only in
    that the plugin must be told, through ``KUBERNETES_EXEC_INFO``.
    """
    plugin = user.get("exec")
    if not plugin:
        return user
    version = plugin.get("apiVersion", _EXEC_V1BETA1)
    spec: Document = {"interactive": False}
    if plugin.get("provideClusterInfo"):
        names = ("server", "certificate-authority-data", "tls-server-name", "proxy-url")
        spec["cluster"] = {name: cluster[name] for name in names if name in cluster}
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": spec}
    environment = [
        *(plugin.get("env") or []),
        {"name": "KUBERNETES_EXEC_INFO", "value": json.dumps(info)},
    ]
    spoken = _EXEC_V1BETA1 if version == _EXEC_V1 else version
    return {**user, "exec": {**plugin, "apiVersion": spoken, "env": environment}}
