"""Making a sandbox's namespaces: process 1, what it sees of the machine, and the cable between both."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from hanbae import errors
from hanbae.sandbox import (
    binaries,
    caching,
    calling,
    cgroups,
    folders,
    identities,
    init,
    namespaces,
)

#: The sandbox's end of the veth pair.
LINK: Final = "eth0"

# The kubelet sets these for the whole machine, and they are not namespaced; inside, files of ours lie over
# them with the values that it wants (pkg/kubelet/cm: setupKernelTunables), so that it finds nothing to do.
_TUNABLES: Final = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
_SYSCTLS: Final = {
    # Every packet of a pod is routed (see `node`).
    "net/ipv4/ip_forward": "1",
    "net/ipv6/conf/all/disable_ipv6": "1",
    "net/ipv6/conf/default/disable_ipv6": "1",
}
#: Folders of the machine that programs write to without asking; inside, empty ones of ours with these modes.
_COVERED: Final = {"/tmp": 0o1777, "/var/lib": 0o755, "/var/log": 0o755}

_BIRTH_S: Final = 20.0


class Inside(msgspec.Struct, frozen=True):
    """What process 1 is told to make of its namespaces.

    Attributes:
        folder: The sandbox's folder.
        mountpoint: Where it is seen inside.
        hostname: Host name inside.
        cgroups: ``cgroup.procs`` files to join.
        covers: Folder of the machine → folder of the sandbox that is seen there instead.
        keep: Folders that stay visible although a cover is above them.
        files: File of the machine → file of the sandbox that is seen there instead.
        sysctls: Settings under ``/proc/sys``, of the sandbox's own network namespace.
    """

    folder: str
    mountpoint: str
    hostname: str
    cgroups: list[str]
    covers: dict[str, str]
    keep: list[str]
    files: dict[str, str]
    sysctls: dict[str, str]


def launch(
    folder: folders.Folder, identity: identities.Identity, programs: binaries.Binaries
) -> namespaces.Namespaces:
    """Make the namespaces, their inside, and the veth pair.

    Whoever is killed in here leaves nothing behind but folders: process 1 ends when its starter does, until all is
    there.

    Raises:
        errors.Failed: Process 1 did not come up; its words are in the error.
        errors.Lacking: The machine has no usable cgroups.
    """
    mounted = cgroups.hierarchies()
    switched = cgroups.missing(mounted)
    # Written before anything is switched on: a `down` after a kill in between still has to know
    # what to switch off.
    folders.write(folder.root / "cgroups.json", json.dumps(switched))
    members = cgroups.make(identity.cgroup, mounted, switched)
    inside = _inside(folder, identity, programs, members)
    folders.write(folder.root / "inside.json", msgspec.json.encode(inside))
    command = ["unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--mount-proc"]
    # unshare stays, as the parent of process 1. With --kill-child process 1 is killed when unshare
    # ends, on which the kill below relies.
    command += ["--kill-child", sys.executable, "-I", "-S", init.__file__, str(folder.root)]
    log = folder.logs / "init.log"
    with log.open("ab") as output, folder.life.open("a") as life:
        # The lock belongs to the open file, which process 1 inherits: it is held until that ends,
        # although this block closes our own descriptor. Nobody else holds it now (see
        # `Namespaces.settle`).
        fcntl.flock(life, fcntl.LOCK_EX)
        command.append(str(life.fileno()))
        with errors.starting(command[0]):
            starter = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd="/",
                env=programs.environment(),
                # Ctrl-C in the terminal is not meant for what goes on without us.
                start_new_session=True,
                pass_fds=(life.fileno(),),
            )
    born = namespaces.Namespaces(folder)
    try:
        _await_inside(born, starter, folder)
        _join(born, identity, programs)
        assert starter.stdin is not None  # noqa: S101  for mypy: it is a pipe
        starter.stdin.write(b"go\n")
        starter.stdin.close()
    # On Ctrl-C as well: what is half made shall not live on.
    except BaseException:
        starter.kill()
        starter.wait()
        raise
    # It goes on without us, so Popen shall neither wait for it nor warn that it still runs. When we
    # end, the machine's own process 1 inherits it: it becomes nobody's zombie.
    starter.returncode = 0
    return born


def _inside(
    folder: folders.Folder,
    identity: identities.Identity,
    programs: binaries.Binaries,
    members: Sequence[Path],
) -> Inside:
    hosts = f"127.0.0.1 localhost\n{identity.inner} {identity.host}\n"
    folders.write(folder.etc / "hosts", hosts, mode=0o644)
    # No name server answers inside, and waiting for one costs the kubelet 10 s twice.
    folders.write(folder.etc / "resolv.conf", "", mode=0o644)
    files = {"/etc/hosts": "etc/hosts", "/etc/resolv.conf": "etc/resolv.conf"}
    for name, value in _TUNABLES.items():
        if Path("/proc/sys", name).exists():
            files[f"/proc/sys/{name}"] = f"etc/tunables/{name}"
            folders.write(folder.etc / "tunables" / name, f"{value}\n", mode=0o644)
    covers = {}
    for covered, mode in _COVERED.items():
        covers[covered] = f"covers/{covered.replace('/', '-').strip('-')}"
        cover = folder.root / covers[covered]
        cover.mkdir(parents=True, exist_ok=True)
        cover.chmod(mode)
    # The programs are links into the cache. The cache, the sandbox's folder, this Python and hanbae
    # may all be below a cover, such as /tmp or /var/lib.
    # All of the cache: an upgrade brings programs into it while process 1 lives.
    keep = {folder.root.parent, programs.root, caching.root()}
    keep |= {path.resolve() for path in (programs.root, programs.cni, programs.libraries)}
    keep |= {path.resolve().parent for path in programs.bin.iterdir()}
    keep |= {Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parent}
    return Inside(
        folder=str(folder.root),
        mountpoint=namespaces.HOME,
        hostname=identity.host,
        cgroups=[str(member) for member in members],
        covers=covers,
        keep=sorted(str(path) for path in keep),
        files=files,
        # A kernel without IPv6 has no settings of it.
        sysctls={
            name: value for name, value in _SYSCTLS.items() if Path("/proc/sys", name).exists()
        },
    )


def _await_inside(
    born: namespaces.Namespaces, starter: subprocess.Popen[bytes], folder: folders.Folder
) -> None:
    end = time.monotonic() + _BIRTH_S
    fault = ""
    while time.monotonic() < end and starter.poll() is None:
        try:
            answer = born.ask({"do": "status"})
        except errors.Unreachable:
            time.sleep(0.02)  # its socket is its first deed; there is nothing before it to wait on
            continue
        # Process 1 serves only once its inside is made or has failed, so its first answer is final.
        if answer["ready"]:
            return
        fault = answer["fault"]
        break
    log = folder.logs / "init.log"
    words = log.read_text(errors="replace").splitlines()[-10:]
    raise errors.Failed(
        "sandbox.component-failed",
        component="namespaces",
        reason=fault or f"process 1 did not answer ({starter.poll()})",
        lines="\n".join(words),
        log=str(log),
    )


def _join(
    born: namespaces.Namespaces, identity: identities.Identity, programs: binaries.Binaries
) -> None:
    """The veth pair: one end here with its address alone, the other inside with the route out."""
    pid = str(born.pid)
    ip = str(programs.path("ip"))
    outer = f"{identity.outer}/{identity.prefix}"
    inner = f"{identity.inner}/{identity.prefix}"
    _remove_stale(identity, programs)
    # Born inside, so that there is no moment in which a killed `up` leaves a pair outside.
    pair = ["type", "veth", "peer", "name", LINK, "netns", pid]
    inside = born.entering(network_only=True)
    for command in (
        [ip, "link", "add", "name", identity.link, *pair],
        # No link-local address of its own: the machine gets the one address and nothing else.
        [ip, "link", "set", "dev", identity.link, "addrgenmode", "none"],
        [ip, "address", "add", outer, "dev", identity.link],
        [*inside, ip, "address", "add", inner, "dev", LINK],
        [*inside, ip, "link", "set", "dev", LINK, "up"],
        [ip, "link", "set", "dev", identity.link, "up"],
        [*inside, ip, "route", "replace", "default", "via", identity.outer],
    ):
        calling.run(command, environment=programs.environment())


def _remove_stale(identity: identities.Identity, programs: binaries.Binaries) -> None:
    """The end of a sandbox that is just dying: the kernel takes it away, but later."""
    if not await_link_gone(identity, deadline_s=5):
        command = [str(programs.path("ip")), "link", "delete", "dev", identity.link]
        calling.run(command, environment=programs.environment())


def await_link_gone(identity: identities.Identity, *, deadline_s: float) -> bool:
    """Wait until the machine's end of the pair is gone, as it goes with its namespace."""
    end = time.monotonic() + deadline_s
    while Path("/sys/class/net", identity.link).exists():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)  # the kernel cleans namespaces up behind the scenes and tells nobody
    return True
