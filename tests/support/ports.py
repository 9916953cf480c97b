"""Ports for servers that tests start, held until the process of the tests ends.

A port that was only found free is somebody else's by the time the server wants it: other processes of tests look for
ports as well, and each connection of anybody's has one of its own.
"""

from __future__ import annotations

import socket


def reserve(host: str = "127.0.0.1") -> int:
    """A port of this machine for a server, which may begin late and often; until it does, nobody answers there.

    Args:
        host: The address at which the server is to listen.
    """
    # Linux gives a port that is bound to nobody who asks for any, be it to listen or to connect. Where both sides have
    # set SO_REUSEADDR, as servers do, it lets another socket listen there as long as this one does not.
    holding = socket.socket()
    holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holding.bind((host, 0))
    port = int(holding.getsockname()[1])
    # The descriptor stays open as long as the process lives.
    holding.detach()
    return port
