"""A real PgBouncer before a server of this machine, as teams run it."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.support import polling, ports


@contextmanager
def running(server: str, folder: Path) -> Iterator[str]:
    """The URL of a pooler that lends connections for a transaction.

    Args:
        server: The URL of the server.
        folder: Where it keeps its settings and its log.
    """
    program = shutil.which("pgbouncer")
    assert program, "./dev test installs pgbouncer"
    target = urlsplit(server)
    port = ports.reserve()
    (folder / "users").write_text(f'"{target.username}" "{target.password}"\n')
    (folder / "pgbouncer.ini").write_text(
        f"""
[databases]
* = host=127.0.0.1 port={target.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder / "users"}
pool_mode = transaction
logfile = {folder / "log"}
"""
    )
    # Like PostgreSQL, it does not run as root.
    somebody = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [*somebody, program, str(folder / "pgbouncer.ini")], stdout=output, stderr=output
        )

    def listens() -> bool:
        assert process.poll() is None, (folder / "output").read_text()
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    try:
        polling.until(listens, within=20)
        yield f"postgres://{target.username}:{target.password}@127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
