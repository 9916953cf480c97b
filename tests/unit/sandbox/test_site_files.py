"""What the daemons are given: the settings that the sandbox's promises hang on."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hanbae import errors
from hanbae.charts import values
from hanbae.images import credentials, references, sources
from hanbae.policy import loading
from hanbae.sandbox import (
    addons,
    argocd_roles,
    binaries,
    caching,
    certificates,
    components,
    control_plane,
    demo_repository,
    demo_shop,
    folders,
    identities,
    namespaces,
    node,
    part_runner,
    passwords,
    pid1_start,
    pins,
    running,
    services,
    sites,
    statuses,
    system_images,
)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sites.Site:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SECRET_OF_THE_CALLER", "canary")
    programs = tmp_path / "programs" / "bin"
    programs.mkdir(parents=True)
    for name in pins.PROGRAMS:
        (programs / name).touch(mode=0o755)
    folder = folders.of("demo")
    folder.make()
    return sites.Site(
        folder,
        identities.derive(folder.root, ()),
        binaries.Binaries(programs.parent),
        passwords.load(folder),
        namespaces.Namespaces(folder),
    )


def daemons(site: sites.Site) -> dict[str, sites.Daemon]:
    return {daemon.name: daemon for daemon, _ in components.daemons(site)}


def plaintexts(site: sites.Site) -> list[str]:
    kept = site.passwords
    return [
        secret.unmask().decode()
        for secret in (kept.registry, kept.postgres, kept.argocd, kept.argocd_signing)
    ]


def test_no_password_is_in_an_argument_an_environment_or_a_configuration_file(
    site: sites.Site,
) -> None:
    for daemon in daemons(site).values():
        text = json.dumps([daemon.command, dict(daemon.environment), list(daemon.files.values())])
        assert not any(secret in text for secret in plaintexts(site)), daemon.name


@pytest.mark.parametrize(
    ("words", "attempts"),
    [
        ("Error from server (Timeout): request did not complete within requested timeout", 4),
        ("Error from server: etcdserver: request timed out", 4),
        ("Error from server (Forbidden): namespaces is forbidden", 1),
    ],
)
@pytest.mark.parametrize("failures", [1, 9])
def test_an_api_server_that_runs_out_of_time_is_asked_again_but_not_for_ever(
    site: sites.Site, words: str, attempts: int, failures: int
) -> None:
    requests = site.folder.root / "asked"
    site.programs.path("kubectl").write_text(
        f"#!/bin/sh\ncat >> {requests}\n"
        f'[ "$(wc -l < {requests})" -gt {failures} ] || {{ echo "{words}" >&2; exit 1; }}\n'
    )
    if attempts > failures:
        site.apply("-f", "-", stdin=b"{}\n")
        assert len(requests.read_text().splitlines()) == failures + 1
        return
    with pytest.raises(errors.Failed) as caught:
        site.apply("-f", "-", stdin=b"{}\n")
    assert caught.value.text.facts["output"] == words
    assert len(requests.read_text().splitlines()) == attempts


def test_nothing_of_the_callers_environment_comes_along(site: sites.Site) -> None:
    for daemon in daemons(site).values():
        assert "canary" not in daemon.environment.values()


def test_only_what_the_machine_shall_reach_listens_beyond_the_loopback_interface(
    site: sites.Site,
) -> None:
    by_name = daemons(site)
    assert "--listen-client-urls=http://127.0.0.1:2379" in by_name["etcd"].command
    assert "--address=127.0.0.1" in by_name["argocd-repo-server"].command
    assert "--bind-address=127.0.0.1" in by_name["kube-scheduler"].command
    bound = by_name["redis"].command.index("--bind")
    assert by_name["redis"].command[bound + 1] == "127.0.0.1"


def test_argo_cd_asks_for_a_login(site: sites.Site) -> None:
    assert "--disable-auth" not in daemons(site)["argocd-server"].command


@pytest.mark.parametrize(
    "text",
    [
        b"contexts:\n- name: a\nusers:\n- auth-token: t\n  name: a\n",  # as the argocd program writes it
        b"{}",
        b"[]",
        b'{"users": []}',
        b'{"users": [{"name": "a"}]}',
        b"\xff",
    ],
)
def test_argo_cds_configuration_that_its_program_has_written_anew_is_no_session(
    tmp_path: Path, text: bytes
) -> None:
    file = tmp_path / "config"
    file.write_bytes(text)
    assert argocd_roles._session("127.0.0.1:1", file) == "not as hanbae has written it"


def test_kubeconfig_that_people_have_changed_is_none_of_hanbaes_own(site: sites.Site) -> None:
    """kubectl writes YAML into the one of the sandbox's shell, and other contexts and namespaces."""
    certificates.make(site.folder, site.identity)
    site.folder.kubeconfig.write_text("current-context: elsewhere\nkind: Config\n")
    site.programs.path("kubectl").write_text('#!/bin/sh\ngrep -c hanbae-demo "$KUBECONFIG"\n')
    sandbox = running.Sandbox(site)
    assert sandbox.kubectl(["get", "pods"]).strip() != b"0"
    deployer = json.loads(sandbox.kubeconfig_of("deployer", "dev").read_text())
    assert deployer["current-context"] == sandbox.context


def test_plugins_of_the_pods_network_are_among_what_a_given_folder_must_have(
    site: sites.Site,
) -> None:
    network = json.loads(
        node.containerd(site).files[site.folder.etc / "cni" / "10-hanbae.conflist"]
    )
    used = {plugin["type"] for plugin in network["plugins"]}
    used |= {plugin["ipam"]["type"] for plugin in network["plugins"] if "ipam" in plugin}
    # containerd itself asks for the loopback interface of each pod.
    assert {f"cni/{name}" for name in used | {"loopback"}} == {
        place for place in binaries._PLACES if place.startswith("cni/")
    }


def test_status_of_a_sandbox_that_dies_meanwhile_is_that_it_is_not_ready(
    site: sites.Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process 1 is killed between the moment in which its number is read and that in which it is looked at."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    monkeypatch.setattr(namespaces.Namespaces, "pid", gone.pid)
    monkeypatch.setattr(namespaces.Namespaces, "alive", lambda _: True)
    monkeypatch.setattr(namespaces.Namespaces, "processes", lambda _: {})
    monkeypatch.setattr(identities, "load", lambda _: site.identity)
    monkeypatch.setattr(running, "attach", lambda _: running.Sandbox(site))
    assert statuses.of("demo").state == "not-ready"


def test_every_part_that_is_needed_exists_and_no_part_needs_itself_in_a_circle(
    site: sites.Site,
) -> None:
    parts = {part.name: part for part in components.parts(site, part_runner.Starter(site))}
    ready: set[str] = set()
    while len(ready) < len(parts):
        now = {name for name, part in parts.items() if ready.issuperset(part.needs)} - ready
        assert now, f"never begins: {sorted(set(parts) - ready)}"
        ready |= now


def test_pods_that_run_are_not_told_of_images_before_these_are_there(site: sites.Site) -> None:
    def needs(name: str) -> tuple[str, ...]:
        parts = components.parts(site, part_runner.Starter(site))
        return next(part.needs for part in parts if part.name == name)

    assert "images" not in needs("addons"), "a first start does both beside each other"
    folders.write(site.folder.ready, "{}")
    assert "images" in needs("addons")
    assert "images" in needs("sealed-secrets-chart")


def test_containerds_configuration_is_toml_with_paths_of_its_own(site: sites.Site) -> None:
    config = tomllib.loads(node.containerd(site).files[site.folder.etc / "containerd.toml"])
    assert config["root"].startswith(namespaces.HOME)
    assert config["grpc"]["address"].startswith(namespaces.HOME)
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["restrict_oom_score_adj"] is True
    assert cri["sandbox_image"] == node.PAUSE
    assert cri["registry"]["config_path"] == str(site.folder.etc / "registries")


def test_the_registry_is_pulled_from_by_the_name_that_the_machine_uses_too(
    site: sites.Site,
) -> None:
    address = running.Sandbox(site).registry.address
    hosts = site.folder.etc / "registries" / address / "hosts.toml"
    assert address in tomllib.loads(node.containerd(site).files[hosts])["server"]
    config = json.loads(services.registry(site).files[site.folder.etc / "registry.json"])
    assert config["http"]["addr"] == address
    assert config["auth"]["htpasswd"]["path"]


def test_the_kubelet_stays_in_the_sandboxes_cgroup_and_out_of_the_machines_rules(
    site: sites.Site,
) -> None:
    config = json.loads(node.kubelet(site).files[site.folder.etc / "kubelet.json"])
    assert config["cgroupRoot"] == f"/{site.identity.cgroup}"
    assert config["makeIPTablesUtilChains"] is False
    assert config["authentication"]["anonymous"]["enabled"] is False
    proxy = json.loads(node.proxy(site).files[site.folder.etc / "kube-proxy.json"])
    assert proxy["mode"] == "nftables"
    assert proxy["conntrack"]["maxPerCore"] == 0


def test_a_daemon_that_is_started_differently_has_another_mark(site: sites.Site) -> None:
    before = control_plane.etcd(site).mark
    program = site.programs.bin / "etcd"
    other = site.programs.root / "other-etcd"
    other.touch(mode=0o755)
    program.unlink()
    program.symlink_to(other)
    assert control_plane.etcd(site).mark != before


def _documents(site: sites.Site, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    stdins: list[bytes] = []

    def record(_: sites.Site, *arguments: str, stdin: bytes | None = None) -> bytes:
        assert not any(secret in " ".join(arguments) for secret in plaintexts(site))
        stdins.append(stdin or b"")
        return b""

    monkeypatch.setattr(sites.Site, "kubectl", record)
    monkeypatch.setattr(addons.os, "chown", lambda *_: None)
    addons.apply(site)
    (document,) = stdins
    items: list[dict[str, Any]] = json.loads(document)["items"]
    return items


def test_the_sandboxes_pods_run_as_nobody_and_pull_nothing(
    site: sites.Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    workloads = [
        item
        for item in _documents(site, monkeypatch)
        if item["kind"] in ("Deployment", "StatefulSet")
    ]
    assert len(workloads) == 2
    for item in workloads:
        pod = item["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsUser"] == system_images.USER
        for container in pod["containers"]:
            assert container["imagePullPolicy"] == "Never"
            assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_a_process_in_postgresqls_container_asks_often_only_until_it_answers(
    site: sites.Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pod,) = (
        item["spec"]["template"]["spec"]
        for item in _documents(site, monkeypatch)
        if item["kind"] == "StatefulSet"
    )
    (container,) = pod["containers"]
    starting, running_ = container["startupProbe"], container["readinessProbe"]
    assert starting["exec"] == running_["exec"]
    assert starting["periodSeconds"] == 1
    assert running_["periodSeconds"] >= 10


def linked(link: Path, target: Path) -> None:
    """Have a link lead to another file or folder, as in the programs of another hanbae."""
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def test_pods_follow_the_programs_that_their_images_are_made_of(
    site: sites.Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def images() -> dict[str, str]:
        return {
            item["metadata"]["name"]: item["spec"]["template"]["spec"]["containers"][0]["image"]
            for item in _documents(site, monkeypatch)
            if item["kind"] in ("Deployment", "StatefulSet")
        }

    before = images()
    assert images() == before
    later = site.programs.root / "postgresql-18.7"
    later.touch(mode=0o755)
    linked(site.programs.bin / "postgres", later)
    after = images()
    assert {name for name in before if before[name] != after[name]} == {addons.POSTGRESQL}


def test_images_of_other_programs_are_loaded_and_those_that_are_there_are_not(
    site: sites.Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    present: list[str] = []
    imported: list[str] = []

    def run(command: list[str], **_: object) -> bytes:
        if command[-1] != "-q":
            imported.append(command[-1])
        return "\n".join(present).encode()

    monkeypatch.setattr(node, "ctr", lambda _, *words: list(words))
    monkeypatch.setattr(system_images.calling, "run", run)
    monkeypatch.setattr(system_images, "_tar", lambda image, _: image)
    assert system_images.load(site)
    assert set(imported) == set(system_images._RECIPES)
    present = [system_images.reference(image, site.programs) for image in system_images._RECIPES]
    imported.clear()
    assert not system_images.load(site)
    later = site.programs.root / "coredns-1.15"
    later.touch(mode=0o755)
    linked(site.programs.bin / "coredns", later)
    assert system_images.load(site)
    assert imported == [system_images.COREDNS]


def test_argo_cds_kinds_are_given_again_when_they_are_of_another_release(
    site: sites.Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied: list[str] = []
    obstacle = ""
    monkeypatch.setattr(sites.Site, "apply", lambda _, *words: applied.append(words[-1]))
    monkeypatch.setattr(argocd_roles, "defined", lambda _: obstacle)
    releases = [site.programs.root / f"argocd-{number}" for number in (1, 2)]
    for release in releases:
        (release / "crds").mkdir(parents=True)
        linked(site.programs.argocd_manifests, release)
        assert argocd_roles.define(site)
        assert not argocd_roles.define(site), "they are served, and of this release"
    assert applied == [str(release / "crds") for release in releases]
    obstacle = "not served: applications"
    assert argocd_roles.define(site)
    assert len(applied) == 3


def test_a_sandbox_that_runs_and_cannot_be_carried_over_is_refused_with_the_cure(
    site: sites.Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespaces.Namespaces, "settle", lambda _: True)
    former = msgspec.structs.replace(site.identity, format=identities.FORMAT - 1)
    folders.write(site.folder.identity, msgspec.json.encode(former))
    with pytest.raises(errors.Refused) as caught:
        running._up(site.folder, site.programs, running.Silent())
    assert caught.value.text.id == "sandbox.other-format"


def test_a_sandbox_that_runs_and_does_not_show_the_programs_is_refused(
    site: sites.Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespaces.Namespaces, "settle", lambda _: True)
    monkeypatch.setattr(namespaces.Namespaces, "pid", os.getpid())
    assert site.namespaces.shows(tmp_path)
    folders.write(site.folder.identity, msgspec.json.encode(site.identity))
    unseen = binaries.Binaries(tmp_path / "covered")
    with pytest.raises(errors.Refused) as caught:
        running._up(site.folder, unseen, running.Silent())
    assert caught.value.text.id == "sandbox.other-format"


def test_programs_of_a_later_hanbae_will_be_visible_to_process_1(
    site: sites.Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come into the cache while it lives, and the cache may be below a folder that is covered."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    inside = pid1_start._inside(site.folder, site.identity, site.programs, ())
    assert str(caching.root()) in inside.keep


def test_go_programs_look_for_garbage_seldom_and_within_a_bound(site: sites.Site) -> None:
    for daemon in daemons(site).values():
        assert int(daemon.environment["GOGC"]) > 100, daemon.name
        assert int(daemon.environment["GOMEMLIMIT"]) >= 768 << 20, daemon.name


@pytest.mark.parametrize(
    ("gibibytes", "limit", "bound"),
    [
        (2, "", 768 << 20),
        (8, "max\n", 1 << 30),
        (64, str((1 << 63) - 4096), 2 << 30),
        (64, f"{8 << 30}\n", 1 << 30),
    ],
)
def test_the_bound_of_memory_follows_the_machine_or_its_container(
    site: sites.Site,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    gibibytes: int,
    limit: str,
    bound: int,
) -> None:
    machine = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": (gibibytes << 30) // 4096}
    monkeypatch.setattr(os, "sysconf", machine.__getitem__)
    (tmp_path / "limit").write_text(limit)
    limits = (tmp_path / "none", tmp_path / "limit")
    monkeypatch.setattr(sites, "_CONTAINER_LIMITS", limits)
    assert site.environment()["GOMEMLIMIT"] == str(bound)


def test_a_variable_for_the_shell_holds_no_password(site: sites.Site) -> None:
    variables = running.Sandbox(site).environment()
    assert "PGPASSWORD" not in variables
    assert not any(secret in value for secret in plaintexts(site) for value in variables.values())
    assert variables["ARGOCD_SERVER"] == f"{site.identity.inner}:{argocd_roles.PORT}"


def test_images_of_the_demo_are_asked_for_over_plain_http_and_with_the_login_without_a_flag(
    site: sites.Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = running.Sandbox(site)
    running._tools(site)
    for name, value in sandbox.environment().items():
        if name != "PATH":
            monkeypatch.setenv(name, value)
    written = tmp_path / loading.NAME
    written.write_bytes((demo_repository.example() / loading.NAME).read_bytes())
    repository = demo_repository.Repository(tmp_path, tmp_path / "shop.git")
    with values.editing(written, loading.NAME) as edited:
        edited.update(demo_shop.addresses(sandbox, repository))
    policy = loading.load(written).policy
    assert policy.argocd.repository == repository.url
    assert policy.registries[sandbox.registry.address].plain_http
    image = references.parse(f"{sandbox.registry.address}/shop/auth:1.0.0")
    (endpoint,) = sources.of(policy).endpoints(image)
    assert (endpoint.plain, endpoint.with_login) == (True, True)
    login = credentials.of_docker(endpoint.host)
    assert login is not None
    assert login.secret.unmask() == site.passwords.registry.unmask()
    (path,) = site.folder.root.glob("docker/*")
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_pull_secret_reaches_kubectl_over_standard_input_only(
    site: sites.Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[tuple[str, ...], bytes]] = []

    def record(_: sites.Site, *arguments: str, stdin: bytes = b"") -> bytes:
        calls.append((arguments, stdin))
        return b""

    monkeypatch.setattr(sites.Site, "kubectl", record)
    running.Sandbox(site).push_credentials(["services-dev", "services-staging"], name="pull")
    ((arguments, document),) = calls
    auth = passwords.basic("hanbae", site.passwords.registry)
    assert auth not in " ".join(arguments)
    items = json.loads(document)["items"]
    assert [item["metadata"]["namespace"] for item in items] == ["services-dev", "services-staging"]
    assert {item["type"] for item in items} == {"kubernetes.io/dockerconfigjson"}


def test_passwords_are_made_once_and_differ(site: sites.Site) -> None:
    again = passwords.load(site.folder)
    assert again.postgres.unmask() == site.passwords.postgres.unmask()
    assert len(set(plaintexts(site))) == 4
    assert site.folder.passwords.stat().st_mode & 0o777 == 0o600


def test_a_log_that_is_shown_holds_no_password(site: sites.Site) -> None:
    secret = site.passwords.postgres.unmask().decode()
    assert secret not in site.passwords.redactor()(f"connecting with {secret} failed")


def test_postgresqls_image_has_the_loader_and_libraries_that_its_programs_need() -> None:
    paths = {file.path for file in system_images._closure([Path("/bin/sh")])}
    assert any("ld-linux" in path or "/ld-" in path for path in paths)
    assert any("libc.so" in path for path in paths)
