"""A port that is reserved for a server of the tests is given to nobody else, and the server may have it."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator

import pytest
from tests.support import ports

IP_LOCAL_PORT_RANGE = 51
"""Of <linux/in.h>, since Linux 6.3; Python names it from 3.14 on."""
LOOPBACK = "127.0.0.1"


@pytest.fixture
def asking() -> Iterator[socket.socket]:
    """A socket that may have a reserved port and no other, when it asks for any."""
    port = ports.reserve()
    with socket.socket() as asking:
        try:
            only = struct.pack("=HH", port, port)
            asking.setsockopt(socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, only)
        except OSError as error:
            pytest.skip(f"this kernel chooses from all ports: {error}")
        yield asking


@pytest.mark.parametrize("reuses", [False, True])
def test_whoever_listens_at_any_port_gets_another(asking: socket.socket, *, reuses: bool) -> None:
    asking.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuses)
    with pytest.raises(OSError, match=f"Errno {errno.EADDRINUSE}"):
        asking.bind((LOOPBACK, 0))


def test_whoever_connects_from_any_port_gets_another(asking: socket.socket) -> None:
    with (
        socket.create_server((LOOPBACK, 0)) as server,
        pytest.raises(OSError, match=f"Errno {errno.EADDRNOTAVAIL}"),
    ):
        asking.connect(server.getsockname())


def test_server_listens_there_and_again_after_it_has_ended() -> None:
    port = ports.reserve()
    for _ in range(2):
        with socket.socket() as client:
            assert client.connect_ex((LOOPBACK, port)) == errno.ECONNREFUSED
        with (
            socket.create_server((LOOPBACK, port)) as server,
            socket.create_connection((LOOPBACK, port)) as client,
        ):
            answering, _ = server.accept()
            answering.close()
            assert client.recv(1) == b""
