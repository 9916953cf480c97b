"""The sandbox's cgroups: one folder of its own in every hierarchy, and none of the machine's touched.

Two layouts exist.
On version 1 (and the hybrid that many virtual machines have) every controller is a hierarchy, and a new group
works once its ``cpuset`` has processors and memory nodes.
On version 2 there is one hierarchy, a controller reaches a group only if every group above it lists it in
``cgroup.subtree_control``, and a group that hands controllers down may hold no processes itself; therefore the daemons
live in a leaf of their own beside the pods.
What had to be switched on at the top of a version 2 hierarchy is remembered and switched off again.

Version 1 hybrid is what the sandbox was developed on.
**Version 2 is written from the kernel's documentation (``Documentation/admin-guide/cgroup-v2.rst``) and from what
kubelet and runc ask for, and has not been run on a real machine.**
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hanbae import errors

#: Where process 1 and its daemons live; the kubelet makes ``kubepods`` beside it.
DAEMONS: Final = "daemons"
#: What kubelet 1.35 wants of a version 2 hierarchy (pkg/kubelet/cm), as far as the kernel has them.
_REQUIRED: Final[tuple[str, ...]] = ("cpu", "cpuset", "hugetlb", "io", "memory", "pids")


@dataclass(frozen=True)
class Hierarchy:
    """A mounted cgroup hierarchy.

    Attributes:
        root: Where it is mounted.
        version: 1 or 2.
    """

    root: Path
    version: int

    @property
    def controllers(self) -> frozenset[str]:
        """The controllers that version 2 offers here; empty for version 1."""
        if self.version == 1:
            return frozenset()
        return frozenset((self.root / "cgroup.controllers").read_text().split())


def hierarchies(mounts: str | None = None) -> list[Hierarchy]:
    """The hierarchies that are mounted on this machine.

    Args:
        mounts: Content of ``/proc/self/mountinfo``; read if None.
    """
    if mounts is None:
        mounts = Path("/proc/self/mountinfo").read_text()
    mounted: dict[Path, Hierarchy] = {}
    for line in mounts.splitlines():
        # proc(5): a lone hyphen ends the optional fields, which may be any number; the type stands
        # behind it, and the mount point is the fifth field.
        before, _, after = line.partition(" - ")
        kind = after.split(" ")[0]
        if kind in ("cgroup", "cgroup2"):
            root = Path(before.split(" ")[4])
            mounted.setdefault(root, Hierarchy(root, 2 if kind == "cgroup2" else 1))
    return list(mounted.values())


def missing(mounted: list[Hierarchy]) -> dict[str, list[str]]:
    """What :func:`make` will have to switch on at the top: root → controllers. To be written down before.

    Empty unless every hierarchy is of version 2: beside version 1, the kubelet uses nothing of the other.
    """
    switches = {}
    for hierarchy in mounted:
        if all(other.version == 2 for other in mounted):  # noqa: PLR2004  the version's name
            on = (hierarchy.root / "cgroup.subtree_control").read_text().split()
            off = [name for name in _REQUIRED if name in hierarchy.controllers - set(on)]
            if off:
                switches[str(hierarchy.root)] = off
    return switches


def make(name: str, mounted: list[Hierarchy], switched: dict[str, list[str]]) -> list[Path]:
    """Make the sandbox's groups.

    Args:
        name: The sandbox's cgroup.
        mounted: The machine's hierarchies.
        switched: What :func:`missing` said.

    Returns:
        The ``cgroup.procs`` files that process 1 must join.

    Raises:
        errors.Lacking: The machine has no cgroups, or does not let us make any.
    """
    if not mounted:
        raise errors.Lacking("sandbox.no-cgroups", reason="no cgroup hierarchy is mounted")
    members = []
    try:
        for hierarchy in mounted:
            for controller in switched.get(str(hierarchy.root), ()):
                (hierarchy.root / "cgroup.subtree_control").write_text(f"+{controller}")
            for group in (hierarchy.root / name, hierarchy.root / name / DAEMONS):
                group.mkdir(exist_ok=True)
                _inherit_cpuset(group)
            if all(other.version == 2 for other in mounted):  # noqa: PLR2004  the version's name
                _delegate(hierarchy, name)
            members.append(hierarchy.root / name / DAEMONS / "cgroup.procs")
    except OSError as error:
        raise errors.Lacking("sandbox.no-cgroups", reason=str(error)) from error
    return members


def _delegate(hierarchy: Hierarchy, name: str) -> None:
    """Hand the controllers on to what is in the sandbox's group."""
    for controller in _REQUIRED:
        if controller in hierarchy.controllers:
            control = hierarchy.root / name / "cgroup.subtree_control"
            control.write_text(f"+{controller}")


def _inherit_cpuset(group: Path) -> None:
    """Version 1: a new cpuset is empty, and no process may enter an empty one."""
    for file in ("cpuset.cpus", "cpuset.mems"):
        # Only version 1 has cgroup.clone_children. On version 2 an empty cpuset means the parent's.
        own = group / file
        if (
            own.exists()
            and (group / "cgroup.clone_children").exists()
            and not own.read_text().strip()
        ):
            own.write_text((group.parent / file).read_text())


def remove(
    name: str,
    mounted: list[Hierarchy],
    switched: dict[str, list[str]],
    *,
    deadline_s: float = 10.0,
) -> list[Path]:
    """Remove the sandbox's groups; its processes must be dead or dying.

    Args:
        name: The sandbox's cgroup.
        mounted: The machine's hierarchies.
        switched: What :func:`missing` said before they were made.
        deadline_s: Seconds in which the kernel must let go of the last processes.

    Returns:
        The groups that could not be removed, empty when all is well.
    """
    end = time.monotonic() + deadline_s
    groups = [hierarchy.root / name for hierarchy in mounted]
    while True:
        groups = [group for group in groups if not _gone(group)]
        if not groups or time.monotonic() > end:
            break
        # rmdir says EBUSY until the last process is reaped; nothing can be waited on.
        time.sleep(0.05)
    # After the groups: the kernel keeps a controller switched on while a group below uses it.
    for root, controllers in switched.items():
        for controller in controllers:
            try:
                (Path(root) / "cgroup.subtree_control").write_text(f"-{controller}")
            except OSError:
                continue  # another group has come to use it; it is theirs now
    return groups


def _gone(group: Path) -> bool:
    # A group's control files cannot be removed one by one, and need not be: rmdir takes them along.
    for folder in _deepest_first(group):
        try:
            folder.rmdir()
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno in (errno.EBUSY, errno.ENOTEMPTY):
                return False
            raise
    return not group.exists()


def _deepest_first(group: Path) -> Iterator[Path]:
    for folder, _, _ in os.walk(group, topdown=False):
        yield Path(folder)
