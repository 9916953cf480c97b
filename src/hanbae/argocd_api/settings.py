"""Where Argo CD's API is, and with which token it is asked: the policy, the environment, ``argocd login``.

The policy is a file in a repository, so it may name a server but never decides where a token goes that was meant for
another one: a token in the environment goes only to a server that the user names as well, in the environment or by a
login, and goes without TLS only where the user says so, or to this machine.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from hanbae import errors, libyaml, masking, patterns, subjects
from hanbae.streams import hosts

TOKEN: Final = "ARGOCD_AUTH_TOKEN"  # noqa: S105  a name, no secret
"""The variable that holds a token."""
SERVER: Final = "ARGOCD_SERVER"
_OPTIONS: Final = "ARGOCD_OPTS"
_FOLDER: Final = "ARGOCD_CONFIG_DIR"

_ADDRESS: Final = patterns.lazy(
    r"(?:(?P<scheme>https?)://)?(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?P<port>:[0-9]{1,5})?"
    r"(?P<root>(?:/[A-Za-z0-9._~-]+)*)/?"
)


class Settings(Struct, frozen=True):
    """How Argo CD's API is reached.

    Attributes:
        url: Scheme, host, port and root path.
        token: The bearer token.
        plaintext: Without TLS.
    """

    url: str
    token: masking.Masked
    plaintext: bool


def settle(server: str | None, environment: Mapping[str, str], *, plaintext: bool) -> Settings:
    """The settings.

    Args:
        server: The policy's ``argocd.server``; None for ``ARGOCD_SERVER``, else the current context of the ``argocd``
            program.
        environment: Variables, those of the ``argocd`` program: ``ARGOCD_SERVER``, ``ARGOCD_AUTH_TOKEN``,
            ``ARGOCD_OPTS`` (only its ``--plaintext``), ``ARGOCD_CONFIG_DIR``.
        plaintext: The policy's ``argocd.plaintext``: no TLS, wherever the server is.

    Raises:
        hanbae.errors.WrongUse: No server, no token, or one that may not be sent: without TLS to another machine, or
            to a server that it is not meant for.
    """
    login = _Login(_configuration(environment))
    named = server or environment.get(SERVER) or login.current
    if not named:
        raise errors.WrongUse("argocd-api.no-server")
    parts = _ADDRESS.fullmatch(named)
    if parts is None:
        raise errors.WrongUse("argocd-api.bad-server", server=_shown(named))
    host = parts["host"].strip("[]")
    by_option = "--plaintext" in _words(environment.get(_OPTIONS, ""))
    plain = parts["scheme"] == "http" or (
        parts["scheme"] is None and (plaintext or by_option or login.is_plain(named))
    )
    # Plain HTTP to another machine takes the user's word, and besides that either a private network
    # or the policy's word.
    if plain and not hosts.is_loopback(host):
        # What the user says of another server is no word for this one.
        own = environment.get(SERVER, "").strip().lower()
        is_own_plain = own.startswith("http://") and _key(own) == _key(named)
        by_user = by_option or login.is_plain(named) or is_own_plain
        if not by_user or not (plaintext or hosts.is_private(host)):
            raise errors.WrongUse("argocd-api.plaintext", server=host, variable=_OPTIONS)
    scheme = "http" if plain else "https"
    url = f"{scheme}://{parts['host']}{parts['port'] or ''}{parts['root']}"
    return Settings(url, _token(server, named, environment, login), plain)


def _token(
    server: str | None, named: str, environment: Mapping[str, str], login: _Login
) -> masking.Masked:
    text = environment.get(TOKEN, "").strip()
    elsewhere = environment.get(SERVER)
    if text and server and elsewhere and _key(elsewhere) != _key(server):
        raise errors.WrongUse("argocd-api.two-servers", server=server, other=_shown(elsewhere))
    if text and server and not elsewhere and not login.knows(server):
        raise errors.WrongUse(
            "argocd-api.unnamed-server", server=server, token=TOKEN, variable=SERVER
        )
    text = text or login.token(named)
    if not text:
        raise errors.WrongUse("argocd-api.no-token", server=named, variable=TOKEN)
    if not text.isascii() or not text.isprintable() or " " in text:
        raise errors.WrongUse("argocd-api.bad-token", server=named, variable=TOKEN)
    return masking.Masked(text.encode())


class _Login:
    """What ``argocd login`` has left."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._contexts = _entries(document, "contexts")
        self._servers = _entries(document, "servers")
        self._users = {entry.get("name"): entry for entry in _entries(document, "users")}
        self._name = document.get("current-context") or ""

    @property
    def current(self) -> str:
        """The server of the current context, or nothing."""
        return next(
            (
                str(context.get("server"))
                for context in self._contexts
                if context.get("name") == self._name
            ),
            "",
        )

    def is_plain(self, server: str) -> bool:
        return any(
            server_entry.get("plain-text") is True
            for server_entry in self._servers
            if _key(str(server_entry.get("server"))) == _key(server)
        )

    def knows(self, server: str) -> bool:
        """Whether the user has logged in to this server."""
        return any(_key(str(context.get("server"))) == _key(server) for context in self._contexts)

    def token(self, server: str) -> str:
        """The token of the context for this server, the current one first; or nothing."""
        fitting = [
            context
            for context in self._contexts
            if _key(str(context.get("server"))) == _key(server)
        ]
        fitting.sort(key=lambda context: context.get("name") != self._name)
        for context in fitting:
            token = (self._users.get(context.get("user")) or {}).get("auth-token")
            if token:
                return str(token).strip()
        return ""


def _configuration(environment: Mapping[str, str]) -> Mapping[str, Any]:
    """The argocd program's file; the folder is found as it finds it (v3.6: util/localconfig)."""
    path = _folder(environment) / "config"
    place = subjects.Place(str(path))
    try:
        document = libyaml.load(path.read_bytes())
    except FileNotFoundError:
        return {}
    except libyaml.Fault as fault:
        # Its own words may quote the line, and with it a token.
        place = subjects.Place(str(path), fault.line, fault.column)
        raise errors.FileFault("argocd-api.bad-config", place=place, why="YAML") from None
    except OSError as error:
        why = type(error).__name__
        raise errors.FileFault("argocd-api.bad-config", place=place, why=why) from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise errors.FileFault("argocd-api.bad-config", place=place, why="contexts: …")
    return document


def _folder(environment: Mapping[str, str]) -> Path:
    if environment.get(_FOLDER):
        return Path(environment[_FOLDER])
    home = Path(environment.get("HOME") or "/")
    if (home / ".argocd").is_dir():
        return home / ".argocd"
    return Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "argocd"


def _entries(document: Mapping[str, Any], section: str) -> list[dict[str, Any]]:
    return [entry for entry in document.get(section) or [] if isinstance(entry, dict)]


def _key(server: str) -> str:
    """By this two spellings of a server are the same one."""
    return re.sub(r"^https?://", "", server.strip().lower()).rstrip("/").removesuffix(":443")


def _words(options: str) -> list[str]:
    try:
        return shlex.split(options)
    except ValueError:
        return []


def _shown(server: str) -> str:
    """An address that may hold a password, for a sentence."""
    return masking.Redactor()(server)
