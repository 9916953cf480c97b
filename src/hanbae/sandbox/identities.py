"""What a sandbox is called outside: addresses, interface, cgroup and host name, all from one function.

Two sandboxes live side by side because nothing that the machine can see is shared between them; inside its own
namespaces each uses the same ports and ranges.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

import msgspec

from hanbae import errors
from hanbae.sandbox import calling, folders

#: Part of 10.0.0.0/8 that neither Docker (172.17+) nor Kubernetes' usual ranges (10.96, 10.244) claim.
_RANGE: Final = IPv4Network("10.89.0.0/16")
_LENGTH: Final = 30
#: Counts changes that an older sandbox cannot be carried over.
FORMAT: Final = 1
#: A route this wide (a VPN's 10.0.0.0/8) cannot be avoided, and a /30 of ours in it hides four addresses only.
_WIDEST: Final = 15


class Identity(msgspec.Struct, frozen=True):
    """The names that one sandbox has.

    Attributes:
        name: As the user calls it.
        outer: The machine's end of the veth pair, such as ``10.89.7.1``.
        inner: The sandbox's end: where its API server, registry, Argo CD and PostgreSQL are reached.
        link: The interface on the machine; at most 15 characters, which is Linux's limit.
        cgroup: The cgroup in every hierarchy, and the kubelet's root; no slash.
        host: Host name inside, and the node's name.
        boot: The machine's boot id when the sandbox was made: a sandbox does not survive a reboot.
        format: :data:`FORMAT` when the sandbox was made.
    """

    name: str
    outer: str
    inner: str
    link: str
    cgroup: str
    host: str
    boot: str
    format: int = FORMAT

    @property
    def prefix(self) -> int:
        """Length of the network that both ends share."""
        return _LENGTH


def boot() -> str:
    """This boot's id."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def derive(place: Path, networks: Iterable[IPv4Network]) -> Identity:
    """The identity of the sandbox whose folder is `place`: the same for the same place, if nothing is in its way.

    Args:
        place: The folder; two users' (or tests') sandboxes of one name differ in it.
        networks: Networks that other sandboxes or the machine's own routes use.

    Raises:
        errors.Lacking: Every network of the range is taken.
    """
    digest = hashlib.sha256(str(place).encode()).hexdigest()
    blocked = [network for network in networks if network.prefixlen > _WIDEST]
    # One gigantic list is not made: networks are computed and mostly the first is free.
    count = 2 ** (_LENGTH - _RANGE.prefixlen)
    start = int(digest[:8], 16) % count
    for step in range(count):
        # A network of 30 bits has four addresses.
        first = int(_RANGE.network_address) + 4 * ((start + step) % count)
        network = IPv4Network((first, _LENGTH))
        if not any(network.overlaps(other) for other in blocked):
            break
    else:
        raise errors.Lacking("sandbox.no-address", range=str(_RANGE))
    outer, inner = network.hosts()
    return Identity(
        name=place.name,
        outer=str(outer),
        inner=str(inner),
        link=f"hb{digest[:10]}",
        cgroup=f"hanbae-{place.name}-{digest[:6]}",
        host=f"hanbae-{place.name}",
        boot=boot(),
    )


def load(folder: folders.Folder) -> Identity | None:
    """The identity that a sandbox was made with; None if it never got that far."""
    try:
        return msgspec.json.decode(folder.identity.read_bytes(), type=Identity)
    except (OSError, msgspec.DecodeError):
        return None


def claim(folder: folders.Folder, ip: Path, environment: dict[str, str]) -> Identity:
    """The sandbox's identity, derived and written down if it has none.

    Args:
        folder: The sandbox's folder.
        ip: iproute2's ``ip``, to ask for the machine's routes.
        environment: The environment for it.

    Raises:
        errors.Lacking: Every network of the range is taken.
    """
    claimed = load(folder)
    if claimed is not None:
        return claimed
    # Two sandboxes that come up at once must not choose the same network.
    with (folder.root.parent / ".identities.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        others = [load(other) for other in folders.every() if other != folder]
        networks = [
            IPv4Network((other.outer, _LENGTH), strict=False)
            for other in others
            if other is not None
        ]
        identity = derive(folder.root, [*networks, *_routes(ip, environment)])
        folders.write(folder.identity, msgspec.json.encode(identity))
    return identity


def _routes(ip: Path, environment: dict[str, str]) -> list[IPv4Network]:
    """The networks that this machine already sends somewhere."""
    command = [str(ip), "-4", "-json", "route", "show", "table", "all"]
    listed = calling.run(command, environment=environment)
    networks = []
    for route in json.loads(listed or b"[]"):
        destination = route["dst"]
        if destination != "default":
            networks.append(IPv4Network(destination, strict=False))
    return networks
