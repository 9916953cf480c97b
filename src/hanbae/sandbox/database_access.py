"""The sandbox's PostgreSQL, reached from the machine as any database server is: address, user, password.

psycopg comes with the extra ``sandbox`` and is imported when it is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hanbae import errors, masking
from hanbae.sandbox import addons

if TYPE_CHECKING:
    import psycopg

PORT = 5432


@dataclass(frozen=True)
class Postgres:
    """The server.

    Attributes:
        host: Its address on this machine.
        port: Its port there.
        user: The superuser.
        password: The superuser's password.
    """

    host: str
    port: int
    user: str
    password: masking.Masked

    @property
    def service(self) -> str:
        """Its host name in the cluster, for the URLs that pods are given."""
        return f"{addons.POSTGRESQL}.{addons.DATA}.svc.cluster.local"

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """A connection as the superuser, in autocommit mode.

        Raises:
            errors.Unreachable: The server does not answer.
            errors.Lacking: psycopg is not installed.
        """
        try:
            import psycopg
        except ImportError as error:
            raise errors.Lacking("sandbox.needs-extra", module="psycopg") from error
        try:
            return psycopg.connect(
                host=self.host,
                port=self.port,
                user=self.user,
                password=self.password.unmask().decode(),
                dbname=database,
                connect_timeout=10,
                # CREATE DATABASE cannot run in a transaction.
                autocommit=True,
            )
        except psycopg.OperationalError as error:
            raise errors.Unreachable(
                "sandbox.postgres-unreachable", host=self.host, reason=str(error).strip()
            ) from None


class Databases:
    """Makes databases with an owner each.

    Args:
        server: The server.
    """

    def __init__(self, server: Postgres) -> None:
        self._server = server

    def create(self, database: str, owner: str, password: masking.Masked) -> None:
        """Have a database that only its owner (and the superuser) can use; what is there is kept.

        Args:
            database: Its name.
            owner: The role that owns it; made, or given this password.
            password: The owner's password. The server is sent only its SCRAM verifier, so that it stands in no log.

        Raises:
            errors.Unreachable: The server does not answer.
            errors.Lacking: psycopg is not installed.
            errors.Failed: It refused.
        """
        with self._session() as connection:
            # After `connect`, which says what to install where psycopg is missing.
            from psycopg import sql

            verifier = connection.pgconn.encrypt_password(
                password.unmask(), owner.encode(), b"scram-sha-256"
            )
            role, name = sql.Identifier(owner), sql.Identifier(database)
            secret = sql.Literal(verifier.decode())
            query = "SELECT FROM pg_roles WHERE rolname = %s"
            if connection.execute(query, (owner,)).fetchone() is None:
                statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
            else:
                statement = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}")
            connection.execute(statement.format(role, secret))
            query = "SELECT FROM pg_database WHERE datname = %s"
            if connection.execute(query, (database,)).fetchone() is None:
                statement = sql.SQL("CREATE DATABASE {} OWNER {}")
            else:
                statement = sql.SQL("ALTER DATABASE {} OWNER TO {}")
            connection.execute(statement.format(name, role))
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))

    @contextmanager
    def _session(self) -> Iterator[psycopg.Connection[Any]]:
        connection = self._server.connect()
        # After `connect`, which says what to install where psycopg is missing.
        import psycopg

        with connection:
            try:
                yield connection
            except psycopg.Error as error:
                # Only the server's primary message: a statement in it would hold the verifier.
                reason = error.diag.message_primary or type(error).__name__
                raise errors.Failed("sandbox.postgres-refused", reason=reason) from None
