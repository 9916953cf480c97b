"""Whether a host is this machine or one of a network of one's own, by its address alone: no name is looked up."""

from __future__ import annotations

import ipaddress
from typing import Final

# RFC 1918 and RFC 4193. Python's own `is_private` also holds for 169.254.0.0/16, where clouds serve
# their metadata, for 198.18.0.0/15, for test networks and for 0.0.0.0.
_PRIVATE: Final = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
)


def is_loopback(host: str) -> bool:
    """Whether nothing leaves this machine on the way there."""
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def is_private(host: str) -> bool:
    """Whether it is an address of a network of one's own; not one of a link, a test network or "any"."""
    address = _address(host)
    return address is not None and any(
        address in network for network in _PRIVATE if network.version == address.version
    )


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
