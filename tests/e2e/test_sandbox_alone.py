"""What a sandbox leaves on the machine: an interface while it is up, and nothing afterwards.

It compares the whole machine before and after, so nothing else may run beside it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hanbae.sandbox import binaries, cgroups, folders, identities, namespaces, running, statuses

NAME = "alone"
#: Settings under /proc/sys that count or are random; the machine changes them by itself.
VOLATILE = ("_count", "/random/", "ns_last_pid", "/route/", "_gc_", "pty/nr", "/stat", "numa_")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A state home of its own: the user's sandboxes are none of these tests' business."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    yield
    running.down(NAME)


def settings(*trees: str) -> dict[str, str]:
    contents = {}
    for tree in trees:
        for path in sorted(Path("/proc/sys", tree).rglob("*")):
            if path.is_file() and not any(part in str(path) for part in VOLATILE):
                try:
                    contents[str(path)] = path.read_text()
                except (OSError, UnicodeDecodeError):
                    continue  # some can only be written, some hold no text
    return contents


def machine(programs: binaries.Binaries) -> dict[str, Any]:
    """Everything of the machine that a sandbox could leave a mark on."""

    def say(*command: str) -> list[str]:
        path = str(programs.path(command[0]))
        ended = subprocess.run(
            [path, *command[1:]],
            env=programs.environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        return ended.stdout.splitlines()

    def listeners(file: str) -> set[str]:
        rows = [line.split() for line in Path("/proc/net", file).read_text().splitlines()[1:]]
        return {row[1] for row in rows if row[3] == "0A"}

    tops = {
        str(path)
        for hierarchy in cgroups.hierarchies()
        for path in hierarchy.root.iterdir()
        if path.is_dir()
    }
    addresses = json.loads("".join(say("ip", "-json", "address")))
    return {
        "nftables": say("nft", "list", "ruleset"),
        "iptables": [line for line in say("iptables-save") if not line.startswith("#")],
        "routes": say("ip", "route", "show", "table", "all"),
        "rules": say("ip", "rule"),
        "interfaces": {interface["ifname"]: interface["addr_info"] for interface in addresses},
        "mounts": Path("/proc/self/mountinfo").read_text().splitlines(),
        "cgroups": tops,
        "listeners": listeners("tcp") | listeners("tcp6"),
        "settings": settings("net", "vm", "kernel"),
        "hostname": os.uname().nodename,
        "folders": {
            folder: sorted(path.name for path in Path(folder).iterdir())
            for folder in ("/etc", "/opt", "/run", "/var/lib", "/var/log")
        },
    }


def without_others(marks: dict[str, Any], ours: identities.Identity) -> dict[str, Any]:
    """Without what belongs to other sandboxes, which may come and go meanwhile."""
    own = (ours.link, ours.cgroup)

    def kept(text: str) -> bool:
        names = re.findall(r"\bhb[0-9a-f]{10}\b|/hanbae-[-a-z0-9]+", text)
        return all(name.strip("/") in own for name in names)

    def filtered(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: entry for key, entry in value.items() if kept(key)}
        return (
            type(value)(entry for entry in value if kept(entry))
            if not isinstance(value, str)
            else value
        )

    return {key: filtered(value) for key, value in marks.items()}


def members(cgroup: str) -> list[int]:
    """The processes of a sandbox, those of its pods included."""
    members = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if f"/{cgroup}/" in (process / "cgroup").read_text():
                    members.append(int(process.name))
            except OSError:
                continue  # it has ended
    return members


def test_up_changes_nothing_of_the_machine_but_one_interface_and_down_leaves_nothing() -> None:
    programs = binaries.obtain(progress=running.Silent())
    running.down(NAME)
    identity = identities.derive(folders.of(NAME).root, ())
    before = without_others(machine(programs), identity)
    sandbox = running.up(NAME)
    while_up = without_others(machine(programs), identity)
    while_up["settings"] = {
        path: value for path, value in while_up["settings"].items() if identity.link not in path
    }
    outer = sandbox.site.identity.outer
    assert set(while_up["interfaces"]) - set(before["interfaces"]) == {identity.link}
    (address,) = while_up["interfaces"][identity.link]
    assert (address["local"], address["prefixlen"]) == (outer, 30)
    assert {Path(path).name for path in while_up["cgroups"] - before["cgroups"]} == {
        identity.cgroup
    }
    for same in ("nftables", "iptables", "rules", "mounts", "settings", "hostname", "folders"):
        assert while_up[same] == before[same], same
    assert while_up["listeners"] <= before["listeners"]
    assert all(identity.link in line for line in set(while_up["routes"]) - set(before["routes"]))

    root = sandbox.site.folder.root
    assert len(members(identity.cgroup)) > len(namespaces.Namespaces(folders.of(NAME)).processes())
    assert running.down(NAME)
    after = without_others(machine(programs), identity)
    for same, value in before.items():
        assert after[same] == value or same == "listeners", same
    assert after["listeners"] <= before["listeners"]
    assert not root.exists()
    assert members(identity.cgroup) == []
    assert statuses.of(NAME).state == "absent"
