"""What the user's own Helm knows of repositories: ``helm repo add`` and ``helm registry login``.

Credentials go nowhere but where the user has logged in: a repository's to the scheme, host and port of its address, and
only over TLS, whatever its index or a redirect says; ``pass_credentials_all`` and ``insecure_skip_tls_verify`` are not
followed. A registry's are looked for in Helm's file, then in Docker's, by exactly its host.
"""

from __future__ import annotations

import base64
import hashlib
import os
import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from hanbae import errors, files, libyaml, masking, subjects
from hanbae.images import credentials, references

_LARGEST: Final = 4 * 1024 * 1024
HUB: Final = "registry-1.docker.io"
"""How the address of a chart names Docker Hub."""


class Repository(Struct, frozen=True):
    """A repository that the user has added.

    Attributes:
        name: What it is called.
        url: Its address.
        username: The user's name there; empty for none.
        password: The password.
        ca_file: Certificates of its authority; empty for those of the system.
        cert_file: The user's certificate there; empty for none.
        key_file: The key of that certificate.
    """

    name: str
    url: str
    username: str = ""
    password: masking.Masked | None = None
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    def basic(self) -> str:
        """The value of an Authorization header; empty where there are no credentials."""
        if not self.username or self.password is None:
            return ""
        pair = self.username.encode() + b":" + self.password.unmask()
        return f"Basic {base64.b64encode(pair).decode()}"


def repositories() -> tuple[Repository, ...]:
    """The repositories that the user has added.

    Raises:
        hanbae.errors.FileFault: The file is not Helm's.
    """
    data, place = _added()
    # Not chained: the text that a fault quotes may hold a password.
    content = libyaml.mapping(data) if len(data) <= _LARGEST else None
    if content is None and data.strip():
        raise errors.FileFault("dependencies.helm-config", place=place, reason="YAML") from None
    entries = (content or {}).get("repositories")
    return tuple(
        _repository(entry)
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and isinstance(entry.get("url"), str)
    )


def _added() -> tuple[bytes, subjects.Place]:
    """What is in the file of the repositories, and where it is; nothing where there is none."""
    path = _path("HELM_REPOSITORY_CONFIG", "repositories.yaml")
    place = subjects.Place(str(path))
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST + 1), place
    except (FileNotFoundError, NotADirectoryError):
        return b"", place
    except OSError as error:
        raise errors.FileFault(
            "dependencies.helm-config", place=place, reason=files.reason(error)
        ) from error


def stamp() -> str:
    """What the user has added, for results that depend on it; the same only while that is as it was."""
    try:
        return hashlib.sha256(_added()[0]).hexdigest()
    except errors.FileFault as error:
        return error.text.id


def aliases() -> dict[str, str]:
    """Name → address of the repositories that the user has added: what ``@name`` means.

    Raises:
        hanbae.errors.FileFault: As :func:`repositories`.
    """
    by_name: dict[str, str] = {}
    for repository in repositories():
        # Of two with the same name Helm takes the first.
        by_name.setdefault(repository.name, repository.url)
    return by_name


def login(host: str) -> credentials.Credentials | None:
    """What ``helm registry login``, else ``docker login``, has filed under a registry; None for nothing.

    Args:
        host: The registry as references name it, with its port.

    Raises:
        hanbae.errors.Error: As :func:`hanbae.images.credentials.of_docker`.
    """
    path = _path("HELM_REGISTRY_CONFIG", "registry/config.json")
    return credentials.of_file(host, path) or credentials.of_docker(host)


def registry_host(host: str) -> str:
    """How references name a registry that the address of a chart names."""
    return references.HUB if host == HUB else host


def same_address(address: str, other: str) -> bool:
    """Whether two addresses are the same repository to Helm."""
    return _normal(address) == _normal(other)


def _normal(address: str) -> str:
    # As Helm compares them: a slash at the end, or a doubled one, makes no difference.
    scheme, _, rest = address.partition("://")
    host, _, path = rest.partition("/")
    return f"{scheme}://{host}{posixpath.normpath(f'/{path}')}"


def _repository(entry: Mapping[str, Any]) -> Repository:
    fields = ("name", "url", "username", "caFile", "certFile", "keyFile")
    name, url, username, *paths = (str(entry.get(field) or "") for field in fields)
    password = entry.get("password")
    masked = masking.Masked(str(password).encode()) if password else None
    return Repository(name, url, username, masked, *paths)


def _path(variable: str, name: str) -> Path:
    if configured := os.environ.get(variable):
        return Path(configured)
    if home := os.environ.get("HELM_CONFIG_HOME"):
        return Path(home, name)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config", "helm", name)
