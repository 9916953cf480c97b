"""The layouts as files: the kernel's own behaviour is tried by the sandbox on the machine's real hierarchies."""

from __future__ import annotations

from pathlib import Path

import pytest

from hanbae import errors
from hanbae.sandbox import cgroups

HYBRID = """\
25 1 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
26 25 0:23 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
27 25 0:24 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
28 25 0:25 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
29 25 0:25 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""


def test_every_hierarchy_of_a_hybrid_machine_is_found_once() -> None:
    versions = {str(hierarchy.root): hierarchy.version for hierarchy in cgroups.hierarchies(HYBRID)}
    assert versions == {
        "/sys/fs/cgroup/cpu,cpuacct": 1,
        "/sys/fs/cgroup/systemd": 1,
        "/sys/fs/cgroup/unified": 2,
    }


def test_this_machines_hierarchies_are_read() -> None:
    assert all(hierarchy.root.is_dir() for hierarchy in cgroups.hierarchies())


def test_a_machine_without_cgroups_is_refused_with_the_reason() -> None:
    with pytest.raises(errors.Lacking):
        cgroups.make("hanbae-x", [], {})


@pytest.fixture
def unified(tmp_path: Path) -> cgroups.Hierarchy:
    """Files as a version 2 hierarchy has them, where the kernel would act on what is written."""
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids rdma\n")
    (tmp_path / "cgroup.subtree_control").write_text("memory pids\n")
    return cgroups.Hierarchy(tmp_path, 2)


def test_on_version_2_only_what_was_off_is_switched_on_and_remembered(
    unified: cgroups.Hierarchy,
) -> None:
    switched = cgroups.missing([unified])
    members = cgroups.make("hanbae-x", [unified], switched)
    assert switched == {str(unified.root): ["cpu", "cpuset", "hugetlb", "io"]}
    assert members == [unified.root / "hanbae-x" / "daemons" / "cgroup.procs"]
    assert (unified.root / "hanbae-x" / "cgroup.subtree_control").exists()
    assert not (unified.root / "hanbae-x" / "daemons" / "cgroup.subtree_control").exists()


def test_removal_switches_off_again_what_was_switched_on(unified: cgroups.Hierarchy) -> None:
    top = unified.root / "cgroup.subtree_control"
    (unified.root / "hanbae-x" / "daemons").mkdir(parents=True)
    assert cgroups.remove("hanbae-x", [unified], {str(unified.root): ["io"]}) == []
    assert top.read_text() == "-io"
    assert not (unified.root / "hanbae-x").exists()


def test_a_group_that_the_kernel_still_uses_is_reported_after_the_deadline(tmp_path: Path) -> None:
    (tmp_path / "hanbae-x" / "pod").mkdir(parents=True)
    (tmp_path / "hanbae-x" / "pod" / "file").touch()  # rmdir refuses, as for a group with processes
    left = cgroups.remove("hanbae-x", [cgroups.Hierarchy(tmp_path, 1)], {}, deadline_s=0.1)
    assert left == [tmp_path / "hanbae-x"]


def test_on_version_1_an_empty_cpuset_gets_its_parents(tmp_path: Path) -> None:
    for file in ("cpuset.cpus", "cpuset.mems"):
        (tmp_path / file).write_text("0-1\n")
    for group in (tmp_path / "hanbae-x", tmp_path / "hanbae-x" / "daemons"):
        group.mkdir()
        for file in ("cpuset.cpus", "cpuset.mems", "cgroup.clone_children"):
            (group / file).write_text("\n")
    cgroups.make("hanbae-x", [cgroups.Hierarchy(tmp_path, 1)], {})
    assert (tmp_path / "hanbae-x" / "daemons" / "cpuset.mems").read_text() == "0-1\n"


def test_beside_version_1_nothing_is_switched_on(unified: cgroups.Hierarchy) -> None:
    assert cgroups.missing([unified, cgroups.Hierarchy(unified.root / "cpu", 1)]) == {}
