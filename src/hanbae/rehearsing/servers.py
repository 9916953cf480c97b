"""Databases of a rehearsal's server: made, watched and dropped; never one that was there before.

psycopg comes with the extra ``sandbox`` and is imported when it is used.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from hanbae import errors, masking

if TYPE_CHECKING:
    import psycopg

_PREFIX: Final = "hanbae_rehearsal_"


class Server(Struct, frozen=True):
    """A PostgreSQL server that databases may be made in.

    Attributes:
        settings: What libpq is told, the password left out: host, port, user.
        password: The password; None where the server asks for none.
        database: The database that is connected to first.
    """

    settings: dict[str, str]
    password: masking.Masked | None = None
    database: str = "postgres"


def connect(server: Server, database: str) -> psycopg.Connection[Any]:
    """A connection in autocommit mode.

    Raises:
        hanbae.errors.Lacking: psycopg is not installed.
        hanbae.errors.Unreachable: The server does not answer.
    """
    try:
        import psycopg
    except ImportError as error:
        raise errors.Lacking("sandbox.needs-extra", module="psycopg") from error
    password = {} if server.password is None else {"password": server.password.unmask().decode()}
    try:
        return psycopg.connect(
            "",
            **server.settings,  # type: ignore[arg-type]
            **password,  # type: ignore[arg-type]
            dbname=database,
            connect_timeout=10,
            autocommit=True,
        )
    except psycopg.Error as error:
        reason = str(error).strip()
        raise errors.Unreachable("rehearsal.no-server", reason=reason) from None


@contextmanager
def database(server: Server, *, like: str = "") -> Iterator[str]:
    """The name of a new database, which is dropped afterwards.

    Args:
        server: The server.
        like: A database whose copy it is to be; empty for an empty one.

    Raises:
        hanbae.errors.Lacking: psycopg is not installed.
        hanbae.errors.Unreachable: The server does not answer, or answers no more while the database is used.
        hanbae.errors.Failed: The server does not make it, or refuses what is asked of it.
    """
    name = _PREFIX + secrets.token_hex(4)
    with connect(server, server.database) as connection:
        # After `connect`, which says what to install where psycopg is missing.
        import psycopg
        from psycopg import sql

        # Not template1, into which the owner of a server may have put things.
        template = sql.Identifier(like or "template0")
        try:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), template)
            )
        except psycopg.Error as error:
            reason = error.diag.message_primary or type(error).__name__
            raise errors.Failed("rehearsal.no-database", reason=reason) from None
        try:
            yield name
        except psycopg.Error as error:
            raise _translation(error) from None
        finally:
            # A server that has gone meanwhile must not hide what the rehearsal has to say. FORCE
            # ends the sessions of what was broken off.
            with contextlib.suppress(psycopg.Error):
                connection.execute(
                    sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
                )


def _translation(error: psycopg.Error) -> errors.Error:
    """What has become of a question: a server that has ended the session gives no reason in SQL, or says so (57P)."""
    reason = error.diag.message_primary or str(error).strip() or type(error).__name__
    if error.sqlstate is None or error.sqlstate.startswith("57P"):
        return errors.Unreachable("rehearsal.no-server", reason=reason)
    return errors.Failed("rehearsal.no-answer", reason=reason)


@contextmanager
def addressed(server: Server, name: str) -> Iterator[tuple[dict[str, str], tuple[int, ...]]]:
    """What tells goose of a database: variables without a password, and the descriptors that it inherits.

    The password is in a file that is nowhere but in memory, and that only whoever inherits it can read.

    Args:
        server: The server.
        name: The database.
    """
    from psycopg import conninfo

    address = conninfo.make_conninfo("", **server.settings, dbname=name)
    variables = {"GOOSE_DRIVER": "postgres", "GOOSE_DBSTRING": address}
    if server.password is None:
        yield variables, ()
        return
    descriptor = os.memfd_create("rehearsal", os.MFD_CLOEXEC)
    try:
        escaped = server.password.unmask().replace(b"\\", b"\\\\").replace(b":", b"\\:")
        os.write(descriptor, b"*:*:*:*:" + escaped + b"\n")
        # Who opens it by this name reads it from its beginning, although our own offset is at its end.
        yield variables | {"PGPASSFILE": f"/dev/fd/{descriptor}"}, (descriptor,)
    finally:
        os.close(descriptor)
