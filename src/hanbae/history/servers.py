"""The address of a history on a PostgreSQL server, and what may be sent there.

A password is never part of an address, so it is in no policy, no process list and no message. It comes from

- the environment, ``PGPASSWORD`` or the file that ``HANBAE_HISTORY_PASSWORD_FILE`` names, for the server that
  ``HANBAE_HISTORY`` names, and for no other: variables say not where they belong;
- the user's password file (``PGPASSFILE``, by default ``~/.pgpass``), each of whose lines says where it belongs.

A server that only a policy names has to be in the password file by its own name: a branch could name any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, unquote

from hanbae import errors, files, patterns, subjects

SCHEMES: Final = frozenset({"postgres", "postgresql"})
VARIABLE: Final = "HANBAE_HISTORY"
"""Environment variable that names a history instead of the policy."""
PASSWORD_FILE: Final = "HANBAE_HISTORY_PASSWORD_FILE"  # noqa: S105  the name of a variable
"""Environment variable that names a file with nothing but the password of the server in :data:`VARIABLE`."""

_VERIFIED: Final = frozenset({"verify-ca", "verify-full"})
_MODES: Final = frozenset({"disable", "allow", "prefer", "require", *_VERIFIED})
_OPTIONS: Final = frozenset({"sslmode", "sslrootcert"})
_PORT: Final = 5432
_LARGEST: Final = 1 << 20
# Its alternatives begin with different letters, so that no text makes it go back.
_FIELD: Final = patterns.lazy(r"(?:[^:\\]|\\.)*")


class Server(NamedTuple):
    """A database on a PostgreSQL server.

    Attributes:
        host: Name or address; empty for the socket that libpq knows.
        port: Port.
        database: The database.
        user: Who logs in; empty for whom libpq takes.
        sslmode: As libpq's option; empty where the address says nothing.
        sslrootcert: File of certificates to trust; empty where the address says nothing.
    """

    host: str
    port: int
    database: str
    user: str
    sslmode: str = ""
    sslrootcert: str = ""

    @property
    def name(self) -> str:
        """The server as messages name it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{host}:{self.port}/{self.database}"

    @property
    def address(self) -> str:
        """The server with who logs in, as commands have it."""
        user = f"{quote(self.user)}@" if self.user else ""
        return self.name.replace("://", f"://{user}", 1)

    @property
    def is_near(self) -> bool:
        """Whether nothing is sent over a network."""
        import ipaddress

        try:
            return not self.host or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def parsed(parts: SplitResult) -> Server:
    """The server of an address.

    Raises:
        hanbae.errors.WrongUse: It is no such address, or holds a password.
    """
    try:
        port = parts.port or _PORT
        options = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
    except ValueError:
        raise errors.WrongUse("history.bad-server-url") from None
    if parts.password is not None:
        raise errors.WrongUse("history.password-in-url", variable=PASSWORD_FILE)
    database = unquote(parts.path[1:])
    mode = options.get("sslmode", "")
    if (
        not database
        or "/" in database
        or parts.fragment
        or not _OPTIONS.issuperset(options)
        or (mode and mode not in _MODES)
        # An address names one server; of a list with commas libpq would try each.
        or "," in (parts.hostname or "")
    ):
        raise errors.WrongUse("history.bad-server-url")
    return Server(
        unquote(parts.hostname or ""),
        port,
        database,
        unquote(parts.username or ""),
        mode,
        options.get("sslrootcert", ""),
    )


def confirm(server: Server, environment: Mapping[str, str], place: subjects.Place) -> None:
    """Refuse a server of a policy's that is not the user's as well.

    Args:
        server: The server that the policy names.
        environment: For the password file.
        place: Where the policy names it.

    Raises:
        hanbae.errors.Refused: The user's password file does not name it, or the policy would have less than verified
            TLS on the way there.
    """
    weak = server.sslmode not in {"", *_VERIFIED} and not server.is_near
    if weak or server.sslrootcert:
        raise errors.Refused(
            "history.weaker-tls", place=place, server=server.name, variable=VARIABLE
        )
    if not any(_is_for(entry, server) for entry in _entries(environment)):
        raise errors.Refused(
            "history.not-confirmed",
            place=place,
            server=server.name,
            file=str(_password_file(environment)),
            variable=VARIABLE,
        )


def options(
    server: Server, own_word: Server | None, environment: Mapping[str, str]
) -> dict[str, str | int]:
    """Libpq's options for a connection.

    Args:
        server: The server.
        own_word: The server that :data:`VARIABLE` names, if it does.
        environment: For passwords and ``PGSSLMODE``.

    Raises:
        hanbae.errors.WrongUse: The file with the password cannot be read.
    """
    mode = server.sslmode or environment.get("PGSSLMODE", "")
    if mode not in _MODES:
        mode = "prefer" if server.is_near else "verify-full"
    root = server.sslrootcert or environment.get("PGSSLROOTCERT", "") or _authorities()
    words: dict[str, str | int] = {
        "port": server.port,
        "dbname": server.database,
        "sslmode": mode,
        # Empty, not absent: libpq then asks the password file, and never ``PGPASSWORD``.
        "password": _password(environment) if server == own_word else "",
        "client_encoding": "utf8",
        "application_name": "hanbae",
        # A server that is gone without a word is noticed after 10 + 3 * 5 seconds of silence, or 30
        # seconds after something was sent: about as long as an event waits to be written.
        "connect_timeout": 10,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }
    if server.host:
        words["host"] = server.host
    if server.user:
        words["user"] = server.user
    if mode in _VERIFIED:
        words["sslrootcert"] = root
    else:
        # Whoever answers instead of the server shall not get the password, or what one can log in with.
        words["require_auth"] = "!password,!md5"
    return words


def _authorities() -> str:
    """The certificates that this machine trusts; ``system`` would be those of the library's own build."""
    import ssl

    own = Path("~/.postgresql/root.crt").expanduser()
    paths = ssl.get_default_verify_paths()
    return next(
        (str(path) for path in (own, paths.cafile) if path and Path(path).is_file()), "system"
    )


def _password(environment: Mapping[str, str]) -> str:
    """The password that the environment gives; empty where it gives none."""
    name = environment.get(PASSWORD_FILE)
    if not name:
        return environment.get("PGPASSWORD", "")
    path = Path(name).expanduser()
    try:
        content = _content(path)
        password = None if content is None else content.decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        password = None
    if not password:
        place = subjects.Place(name)
        raise errors.FileFault("history.no-password-file", place=place, variable=PASSWORD_FILE)
    return password


def _content(path: Path) -> bytes | None:
    """A file of the user's; links are followed, as where Kubernetes mounts a Secret."""
    return files.ordinary(path.resolve(), most=_LARGEST)


def _password_file(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("PGPASSFILE") or "~/.pgpass").expanduser()


def _entries(environment: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """Host, port, database and user of each line of the password file."""
    try:
        content = _content(_password_file(environment))
    except OSError:
        return
    for line in (content or b"").decode("utf-8", "replace").splitlines():
        if line.startswith("#"):
            continue
        fields: list[str] = []
        position = 0
        for _ in range(4):
            field = _FIELD.match(line, position)
            if field is None or line[field.end() : field.end() + 1] != ":":
                break
            fields.append(re.sub(r"\\(.)", r"\1", field[0]))
            position = field.end() + 1
        else:
            yield tuple(fields)


def _is_for(entry: tuple[str, ...], server: Server) -> bool:
    """Whether a line names a server; one for every host names none."""
    host, port, database, user = entry
    return (
        host == (server.host or "localhost")
        and port in {"*", str(server.port)}
        and database in {"*", server.database}
        and user in {"*", server.user}
    )
