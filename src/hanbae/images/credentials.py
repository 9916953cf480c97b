"""Who we are to a registry.

Credentials are filed under a host, and a :class:`Credentials` carries that host, so that no code can send them to
another one by mistake.
They come from where ``docker login`` puts them: the file itself, or the helper program that it names.
"""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hanbae import errors, foreign_json, masking, patterns, subjects
from hanbae.images import references
from hanbae.streams import locales

_HUB_KEYS: Final = (
    "https://index.docker.io/v1/",
    "index.docker.io",
    "docker.io",
    "registry-1.docker.io",
)
_HELPER: Final = patterns.lazy(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HELPER_TIMEOUT: Final = 30.0
_TOKEN_USER: Final = "<token>"  # noqa: S105  the name that helpers give to an identity token
_NOT_FOUND: Final = "credentials not found in native keychain"


@dataclass(frozen=True)
class Credentials:
    """A user name and a secret for one registry.

    Attributes:
        host: The registry as references name it, with its port; the only one that they are for.
        username: The user name; empty for an identity token.
        secret: The password, or the identity token.
    """

    host: str
    username: str
    secret: masking.Masked

    @property
    def is_token(self) -> bool:
        """Whether the secret is an identity token, which is exchanged for others and never sent as a password."""
        return not self.username

    def basic(self) -> str:
        """The value of an Authorization header."""
        pair = self.username.encode() + b":" + self.secret.unmask()
        return f"Basic {base64.b64encode(pair).decode()}"


def of_docker(host: str, *, folder: Path | None = None) -> Credentials | None:
    """What ``docker login`` has filed under a registry.

    Args:
        host: The registry as references name it, with its port.
        folder: The folder of ``config.json``; by default ``$DOCKER_CONFIG``, else ``~/.docker``.

    Returns:
        None if there is nothing filed for exactly this host.

    Raises:
        errors.FileFault: The file is not Docker's.
        errors.Failed: The helper that it names failed.
        errors.Lacking: The helper is not installed.
    """
    folder = folder or Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    return of_file(host, folder / "config.json")


def of_file(host: str, path: Path) -> Credentials | None:
    """What a file of Docker's form has for a registry: ``helm registry login`` writes one as well.

    Args:
        host: The registry as references name it, with its port.
        path: The file.

    Returns:
        None if there is nothing filed for exactly this host.

    Raises:
        errors.FileFault: The file is not of that form.
        errors.Failed: The helper that it names failed.
        errors.Lacking: The helper is not installed.
    """
    configuration = _read(path)
    keys = _HUB_KEYS if host == references.HUB else (host, f"https://{host}", f"http://{host}")
    helpers = configuration.get("credHelpers") or {}
    for key in keys:
        if isinstance(helpers, dict) and helpers.get(key):
            return _of_helper(str(helpers[key]), key, host)
    auths = configuration.get("auths") or {}
    for key, entry in auths.items() if isinstance(auths, dict) else ():
        if _same(str(key), keys) and isinstance(entry, dict) and (login := _of_entry(entry, host)):
            return login
    store = configuration.get("credsStore")
    return _of_helper(str(store), keys[0], host) if store else None


def _read(path: Path) -> dict[str, Any]:
    try:
        return foreign_json.decode(path.read_bytes(), dict[str, Any])
    except FileNotFoundError:
        return {}
    except (OSError, foreign_json.Fault) as error:
        # Not chained: the text that a JSON error quotes may hold a password.
        place = subjects.Place(str(path))
        raise errors.FileFault("registry.docker-config", place=place) from (
            error if isinstance(error, OSError) else None
        )


def _same(key: str, keys: tuple[str, ...]) -> bool:
    """Whether a file's key means one of these hosts: Docker also writes ``https://host/v1/`` and ``…/v2/``."""
    return key in keys or re.sub(r"/(?:v[12]/?)?\Z", "", key) in keys


def _of_entry(entry: dict[str, Any], host: str) -> Credentials | None:
    if entry.get("identitytoken"):
        return Credentials(host, "", masking.Masked(str(entry["identitytoken"]).encode()))
    username, password = entry.get("username"), entry.get("password")
    if entry.get("auth"):
        try:
            # Docker, too, takes zero bytes at the end away.
            plain = base64.b64decode(str(entry["auth"]), validate=True).rstrip(b"\0")
        except ValueError:  # binascii's own, and letters that are not ASCII
            return None
        user, _, secret = plain.partition(b":")
        return Credentials(host, user.decode("utf-8", "replace"), masking.Masked(secret))
    if username and password:
        return Credentials(host, str(username), masking.Masked(str(password).encode()))
    return None


def _of_helper(name: str, key: str, host: str) -> Credentials | None:
    """Ask ``docker-credential-<name>``; the question goes to its standard input, the answer comes from its output."""
    # The file names a program to run: one on PATH, never a path of its own.
    if not _HELPER.fullmatch(name):
        raise errors.Failed("registry.helper-failed", helper=name, host=host)
    try:
        ended = subprocess.run(
            [f"docker-credential-{name}", "get"],
            env={**os.environ, **locales.ENGLISH},
            input=key.encode(),
            capture_output=True,
            timeout=_HELPER_TIMEOUT,
            check=False,
        )
    except FileNotFoundError as error:
        raise errors.Lacking("registry.no-helper", helper=name, host=host) from error
    except (OSError, subprocess.TimeoutExpired):  # the system may be unable to start it, too
        raise errors.Failed("registry.helper-failed", helper=name, host=host) from None
    if ended.returncode in {-signal.SIGINT, -signal.SIGTERM}:
        # Ctrl-C and `timeout` reach the helper as well, and an event loop heeds them only later.
        raise KeyboardInterrupt
    if ended.returncode:
        # Helpers write this line to standard output, which is why it is looked for there; nothing else of it is shown.
        if _NOT_FOUND in (ended.stdout + ended.stderr).decode("utf-8", "replace"):
            return None
        raise errors.Failed("registry.helper-failed", helper=name, host=host)
    try:
        answer = foreign_json.decode(ended.stdout, dict[str, Any])
        username, secret = str(answer["Username"]), masking.Masked(str(answer["Secret"]).encode())
    except (foreign_json.Fault, KeyError):
        raise errors.Failed("registry.helper-failed", helper=name, host=host) from None
    return Credentials(host, "" if username == _TOKEN_USER else username, secret)
