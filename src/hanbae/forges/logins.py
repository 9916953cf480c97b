"""Who the user is to a forge: the environment, else what the forge's own program has kept.

A token is bound to a host by whoever has put it there, and is sent to no other: neither the policy nor a branch has a
say in it. The host is that of the clone's remote, which is the user's own as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from msgspec import Struct

from hanbae import errors, libyaml, masking
from hanbae.forges import remotes
from hanbae.streams import hosts

Kind = Literal["gitea", "github", "gitlab"]

_GITHUB: Final = "https://github.com"
_GITLAB: Final = "https://gitlab.com"
_LARGEST: Final = 1024 * 1024


class Login(Struct, frozen=True):
    """A user at a forge.

    Attributes:
        kind: What the forge is.
        url: Its address without a ``/`` at its end: ``https://git.example.com``.
        token: The token.
        source: Where the token is from: a variable, or a file.
        shell: The host by which git reaches it with ssh, where that is another one.
    """

    kind: Kind
    url: str
    token: masking.Masked
    source: str
    shell: str = ""

    @property
    def host(self) -> str:
        """Its host, in lower case."""
        return (urlsplit(self.url).hostname or "").lower()

    @property
    def root(self) -> str:
        """The path below which it is served; empty as a rule."""
        return urlsplit(self.url).path.strip("/")

    def fits(self, remote: remotes.Remote) -> bool:
        """Whether a remote is this forge's."""
        if remote.port is None:
            return remote.host in {self.host, self.shell.lower()}
        parts = urlsplit(self.url)
        standard = 443 if parts.scheme == "https" else 80
        return (remote.host, remote.port) == (self.host, parts.port or standard)

    def project(self, remote: remotes.Remote) -> str:
        """The repository's path in the forge."""
        root = f"{self.root}/" if self.root and remote.port is not None else ""
        return remote.path.removeprefix(root)


def of(remote: remotes.Remote, environment: Mapping[str, str]) -> Login | None:
    """The login at a remote's forge; None where the user has none.

    Args:
        remote: The remote.
        environment: Variables.

    Raises:
        hanbae.errors.Refused: The token would travel without TLS over other people's networks.
        hanbae.errors.WrongUse: The token has characters that no token has.
    """
    for login in (*_of_variables(environment), *_of_files(environment)):
        if not login.fits(remote):
            continue
        text = login.token.unmask()
        if not text.isascii() or not text.decode().isprintable() or b" " in text:
            raise errors.WrongUse("forge.bad-token", host=login.host, source=login.source)
        plain = login.url.startswith("http://")
        if plain and not (hosts.is_loopback(login.host) or hosts.is_private(login.host)):
            raise errors.Refused("forge.plaintext", host=login.host, source=login.source)
        return login
    return None


def _of_variables(environment: Mapping[str, str]) -> Iterator[Login]:
    """Those of the forges' own programs, and those that their own runners set."""
    named: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("GITEA_SERVER_URL", ("GITEA_SERVER_TOKEN", "GITEA_TOKEN")),
        ("FORGEJO_SERVER_URL", ("FORGEJO_TOKEN",)),
    )
    for variable, tokens in named:
        yield from _login("gitea", environment.get(variable, ""), environment, tokens)
    server = environment.get("GITHUB_SERVER_URL", "")
    # Runners of Gitea and Forgejo set GitHub's variables as well; the server and the token in them
    # are their own.
    if environment.get("GITEA_ACTIONS") or environment.get("FORGEJO_ACTIONS"):
        runner = ("GITEA_TOKEN", "FORGEJO_TOKEN", "GITHUB_TOKEN")
        yield from _login("gitea", server, environment, runner)
        return
    plain = ("GH_TOKEN", "GITHUB_TOKEN")
    yield from _login("github", server or _GITHUB, environment, plain)
    own = environment.get("GH_HOST", "")
    enterprise = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
    yield from _login("github", own, environment, plain if _is_githubs(own) else enterprise)
    names = ("GITLAB_HOST", "GITLAB_URI", "GL_HOST", "CI_SERVER_URL")
    gitlab = next((environment[name] for name in names if environment.get(name)), _GITLAB)
    yield from _login("gitlab", gitlab, environment, ("GITLAB_TOKEN", "GITLAB_ACCESS_TOKEN"))


def _is_githubs(server: str) -> bool:
    """Whether a server is GitHub's own, to which the plain variables belong."""
    host = (urlsplit(_address(server)).hostname or "").lower()
    return host == "github.com" or host.endswith(".ghe.com")


def _login(
    kind: Kind, server: str, environment: Mapping[str, str], tokens: Iterable[str]
) -> Iterator[Login]:
    for name in tokens:
        if environment.get(name, "").strip():
            yield from _kept(kind, server, environment[name], name)
            return


def _of_files(environment: Mapping[str, str]) -> Iterator[Login]:
    """What ``tea login``, ``gh auth login`` and ``glab auth login`` have left."""
    home = Path(environment.get("HOME") or "/")
    base = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    tea = base / "tea" / "config.yml"
    logins = _mapping(tea).get("logins")
    for entry in logins if isinstance(logins, list) else ():
        if isinstance(entry, dict):
            shell = _text(entry.get("ssh_host"))
            yield from _kept("gitea", _text(entry.get("url")), entry.get("token"), tea, shell)
    github = Path(environment.get("GH_CONFIG_DIR") or base / "gh") / "hosts.yml"
    for host, entry in _entries(_mapping(github)):
        yield from _kept("github", host, entry.get("oauth_token"), github)
    gitlab = Path(environment.get("GLAB_CONFIG_DIR") or base / "glab-cli") / "config.yml"
    for host, entry in _entries(_mapping(gitlab).get("hosts")):
        protocol = _text(entry.get("api_protocol")) or "https"
        address = f"{protocol}://{_text(entry.get('api_host')) or host}"
        yield from _kept("gitlab", address, entry.get("token"), gitlab)


def _entries(document: Any) -> Iterator[tuple[str, dict[Any, Any]]]:
    entries = document.items() if isinstance(document, dict) else ()
    return ((_text(name), entry) for name, entry in entries if isinstance(entry, dict))


def _kept(
    kind: Kind, server: str, token: Any, source: Path | str, shell: str = ""
) -> Iterator[Login]:
    text, address = _text(token).strip(), _address(server)
    if text and server and remotes.read(f"{address}/owner/repository") is not None:
        yield Login(kind, address, masking.Masked(text.encode()), str(source), shell)


def _mapping(path: Path) -> dict[Any, Any]:
    """A program's file; empty where there is none, or none that can be read: its words would quote a token."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST)
    except OSError:
        return {}
    # glab writes the tag of nothing before the tokens that it keeps.
    return libyaml.mapping(data.replace(b"!!null ", b"")) or {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _address(server: str) -> str:
    """A server as an address; https where nothing else is said."""
    server = server.strip().rstrip("/")
    return server if server.startswith(("http://", "https://")) else f"https://{server}"
