"""Through which proxy a server is reached, by the environment's variables and Go's rules, which kubectl follows.

The HTTP library's own rules differ: it knows ``ALL_PROXY`` and no networks in ``NO_PROXY``, and would send the traffic
of this machine, or of a private network, to somebody else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

import httpx2

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def of_environment(server: str, environment: Mapping[str, str]) -> str | None:
    """The proxy's address, or None for none.

    Args:
        server: The server's address.
        environment: ``HTTPS_PROXY`` or ``HTTP_PROXY``, whichever the server's scheme asks for, and ``NO_PROXY``: names
            with the names below them, names below a ``.name``, addresses, networks, each with or without a port.
    """
    url = httpx2.URL(server)
    host, port = url.host.lower().rstrip("."), url.port or {"https": 443}.get(url.scheme, 80)
    proxy = _variable(environment, f"{url.scheme}_proxy")
    # Go sends nothing through a proxy that is for this machine, whatever NO_PROXY says.
    if not proxy or is_this_machine(host):
        return None
    if any(
        _excepts(entry.strip().lower(), host, port)
        for entry in _variable(environment, "no_proxy").split(",")
    ):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def is_this_machine(host: str) -> bool:
    """Whether a host, without its port, is surely this machine."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def _variable(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name.upper()) or environment.get(name) or ""


def _excepts(entry: str, host: str, port: int) -> bool:
    """Whether an entry of ``NO_PROXY`` names the server."""
    if entry == "*":
        return True
    network, address = _network(entry), _address(host)
    if network is not None:
        return address is not None and address in network
    # "fd00::1" is an address and no port: with one it stands in brackets.
    if _address(entry) is None:
        name, colon, named_port = entry.rpartition(":")
        if colon and named_port.isdecimal():
            if named_port != str(port):
                return False
            entry = name
    if address is not None:
        return _address(entry) == address
    # "example.com" is that host and those below it; ".example.com" and "*.example.com" are those
    # below it alone.
    entry = entry.removeprefix("*")
    return bool(entry) and (host == entry or host.endswith(f".{entry.removeprefix('.')}"))


def _network(text: str) -> _Network | None:
    try:
        return ipaddress.ip_network(text, strict=False) if "/" in text else None
    except ValueError:
        return None


def _address(text: str) -> _Address | None:
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None
