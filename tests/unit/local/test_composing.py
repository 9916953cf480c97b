"""What rendered objects become in Compose: order, variables, probes, mounts, and what is left out and said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from tests.support import compositions

from hanbae import libyaml
from hanbae.local import addresses, components, compose_file, limits, reaching
from hanbae.local.composition import Composition, SecretKey

ENDED = "service_completed_successfully"
MIGRATIONS = [
    compositions.migration("legal", "LEGAL_DATABASE_URL", -3),
    compositions.migration("identity", "IDENTITY_DATABASE_URL", -5),
    compositions.migration("auth", "AUTH_DATABASE_URL", -4),
]


def of(*manifests: dict[str, Any], more: str = "") -> Composition:
    return compositions.of(compositions.text(*manifests), more=more)


def main(container: dict[str, Any], **pod: Any) -> Composition:
    return of(compositions.deployment(container, **pod))


def service(composition: Composition, name: str = "auth-service") -> Any:
    entry = composition.service(name)
    assert entry is not None, [item.name for item in composition.services]
    return entry


def written(composition: Composition) -> Any:
    return libyaml.load(compose_file.text(composition, "en").encode())


def test_migrations_run_one_after_the_other_in_the_order_of_their_waves_and_the_program_after_them() -> (
    None
):
    composition = of(compositions.deployment(), *MIGRATIONS)
    depends = {entry.name: dict(entry.depends_on) for entry in composition.services}
    first, second, third = (
        f"auth-service-migrate-{name}" for name in ("identity", "auth", "legal")
    )
    assert depends[first] == {"postgresql-databases": ENDED}
    assert depends[second] == {first: ENDED}
    assert depends[third] == {second: ENDED}
    assert depends["auth-service"] == {third: ENDED}
    assert composition.databases == ("identity", "auth", "legal")
    assert service(composition, "postgresql-databases").command == ("identity", "auth", "legal")


def test_jobs_after_the_sync_wait_for_what_runs_and_by_hand_jobs_start_only_when_asked_for() -> (
    None
):
    probe = {"readinessProbe": {"tcpSocket": {"port": 80}}}
    after = compositions.deployment(
        name="seed", kind="Job", annotations={"argocd.argoproj.io/hook": "PostSync"}
    )
    failed = compositions.deployment(
        name="mourn", kind="Job", annotations={"argocd.argoproj.io/hook": "SyncFail"}
    )
    composition = of(compositions.deployment(probe), after, failed)
    assert service(composition, "seed").depends_on == {"auth-service": "service_healthy"}
    assert service(composition, "mourn").settings["profiles"] == ["by-hand"]


def test_a_job_of_several_phases_runs_in_the_first_of_them() -> None:
    both = {"argocd.argoproj.io/hook": "PostSync,PreSync"}
    job = compositions.deployment(name="prepare", kind="Job", annotations=both)
    composition = of(compositions.deployment(), job)
    assert service(composition).depends_on == {"prepare": ENDED}
    assert service(composition, "prepare").depends_on == {}


def test_two_services_that_migrate_databases_of_one_name_have_one_each() -> None:
    own = compositions.text(compositions.deployment(), MIGRATIONS[2])
    other = own.replace("auth-s", "mail-s")
    composition = compositions.of(own, other)
    assert composition.databases == ("auth_auth", "mail_auth")


def test_an_address_without_a_migration_is_of_the_database_that_is_called_so() -> None:
    reads = {
        "env": [
            env(name, secret="mail-secrets")
            for name in (
                "AUTH_DATABASE_URL",
                "CACHE_REDIS_URL",
                "SMTP_URL",
                "MYSQL_URL",
                "JWT_SECRET",
            )
        ]
    }
    reader = compositions.text(compositions.deployment(reads, name="mail-service"))
    composition = compositions.of(
        compositions.text(compositions.deployment(), MIGRATIONS[2]), reader
    )
    led = {
        entry.key.key: (entry.engine, entry.database)
        for entry in composition.addresses
        if entry.key.secret == "mail-secrets"
    }
    assert led == {"AUTH_DATABASE_URL": ("postgresql", "auth"), "CACHE_REDIS_URL": ("valkey", "")}
    assert {key.key for key in composition.keys if key.secret == "mail-secrets"} >= {
        "JWT_SECRET",
        "SMTP_URL",
        "MYSQL_URL",
    }


def env(name: str, *, secret: str = "", value: str = "") -> dict[str, Any]:
    if secret:
        return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": name}}}
    return {"name": name, "value": value}


def test_secrets_are_nowhere_in_the_file_even_where_a_value_is_made_of_one() -> None:
    container = {
        "env": [
            env("PASSWORD", secret="s"),
            env("HOST", value="db"),
            env("DSN", value="host=$(HOST) password=$(PASSWORD) $(NOBODY) $$(HOST)"),
            env("PLACE", value="http://$(HOST):80/"),
        ],
        "args": ["--password=$(PASSWORD)", "--host=$(HOST)"],
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "stringData": {"PASSWORD": "hunter2"},
    }
    composition = of(compositions.deployment(container), secret)
    entry = service(composition)
    assert entry.environment == {"HOST": "db", "PLACE": "http://db:80/"}
    key = SecretKey("s", "PASSWORD")
    assert entry.secrets["DSN"] == ("host=db password=", key, " $(NOBODY) $(HOST)")
    assert entry.command == ("--password=$(PASSWORD)", "--host=db")
    assert compositions.gaps(composition)["secret-argument"] == ["auth-service"]
    assert composition.rendered == {key: b"hunter2"}
    assert "hunter2" not in compose_file.text(composition, "en")


def test_values_and_arguments_are_expanded_as_kubernetes_does() -> None:
    container = {
        "env": [
            env("EARLY", value="$(LATE) $(EARLY)"),
            env("LATE", value="a"),
            env("TWICE", value="b"),
            env("TWICE", value="$(TWICE)$(LATE)"),
            env("MY VAR", value="c"),
        ],
        "args": [
            "$(EARLY)", "$(TWICE)", "$(MY VAR)", "$$(LATE)", "$$$(LATE)", "$(cat $(LATE))", "$($$)", "$($(LATE", "$",
        ],
    }  # fmt: skip
    assert service(main(container)).command == (
        "$(LATE) $(EARLY)", "ba", "c", "$(LATE)", "$a", "$(cat $(LATE))", "$($$)", "$($(LATE", "$",
    )  # fmt: skip


def test_the_later_source_and_env_win_as_in_kubernetes() -> None:
    maps = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
        for name, data in (
            ("a", {"X": "1", "Y": "1", "Z": "1", "no good": "1"}),
            ("b", {"Y": "2", "Z": "2"}),
        )
    ]
    container = {
        "envFrom": [{"configMapRef": {"name": "a"}}, {"configMapRef": {"name": "b"}, "prefix": ""}],
        "env": [env("Z", value="3")],
    }
    assert service(of(compositions.deployment(container), *maps)).environment == {
        "X": "1", "Y": "2", "Z": "3",
    }  # fmt: skip


def test_what_only_a_cluster_knows_is_left_out_and_said() -> None:
    container = {
        "env": [
            {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        ]
    }
    composition = main(container)
    assert service(composition).environment == {"NAMESPACE": "services", "APP": "auth-service"}
    assert len(compositions.gaps(composition)["variable"]) == 2


HOSTILE = [
    "$",
    "${HOME}",
    "$$",
    "$(id)",
    "yes",
    "on",
    "012",
    "1_000",
    "0x1f",
    "1e3",
    "null",
    "~",
    "a: b",
    "# no",
    "- x",
    "'",
    '"',
    "\\",
    "\\n",
    "\n",
    "a\nb\n",
    "a\n\nb\n\n",
    " lead",
    "trail ",
    "\t",
    "é한글",
    "\x85",
    "\u2028",
    "🚢",
    "|",
    "{}",
    "[",
    "*a",
    "&a",
    "!x",
    "%",
    "@",
    "`",
    "2026-11-29",
    "12:30",
    ".inf",
    "=",
]


def test_a_hostile_value_is_what_it_was_once_it_was_read_again() -> None:
    container = {
        "env": [env(f"V{number}", value=value) for number, value in enumerate(HOSTILE)],
        "args": HOSTILE,
    }
    entry = written(main(container))["services"]["auth-service"]
    doubled = [value.replace("$(", "$(").replace("$$", "$") for value in HOSTILE]
    assert [value.replace("$$", "$") for value in entry["command"]] == doubled
    assert [
        entry["environment"][f"V{number}"].replace("$$", "$") for number in range(len(HOSTILE))
    ] == doubled


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40))
def test_any_text_is_written_as_a_text_that_compose_gives_back(text: str) -> None:
    document = compose_file.yaml({"value": {"a": text}, "name": {text: "b"}})
    for loaded in (YAML(typ="safe").load(document), libyaml.load(document.encode())):
        assert loaded["value"] == {"a": text.replace("$", "$$")}
        assert loaded["name"] == {text: "b"}


def test_a_probe_becomes_a_health_check_that_needs_no_program_of_the_image() -> None:
    container = {
        "ports": [{"name": "web", "containerPort": 9000}],
        "readinessProbe": {
            "httpGet": {"path": "readyz", "port": "web", "httpHeaders": [{"name": "X", "value": "$1"}]},
            "periodSeconds": 5, "timeoutSeconds": 2, "failureThreshold": 4,
        },
        "startupProbe": {"tcpSocket": {"port": 9000}, "periodSeconds": 3, "failureThreshold": 20},
        "livenessProbe": {"tcpSocket": {"port": 9000}},
    }  # fmt: skip
    composition = main(container)
    check = written(composition)["services"]["auth-service"]["healthcheck"]
    assert check["test"][:2] == ["CMD", "/.hanbae/busybox"]
    assert check["test"][-3:] == ["--header", "X: $$1", "http://127.0.0.1:9000/readyz"]
    assert (check["interval"], check["timeout"], check["retries"], check["start_period"]) == (
        "5s",
        "2s",
        4,
        "60s",
    )
    assert service(composition).depends_on["probe-tools"] == ENDED
    assert compositions.gaps(composition)["liveness"] == ["auth-service"]


@pytest.mark.parametrize(
    ("probe", "test", "gap"),
    [
        ({"exec": {"command": ["/bin/ok", "$HOME"]}}, ["CMD", "/bin/ok", "$$HOME"], None),
        (
            {"tcpSocket": {"port": 80}},
            ["CMD", "/.hanbae/busybox", "nc", "127.0.0.1", "80", "-e", "/.hanbae/busybox", "true"],
            None,
        ),
        (
            {"grpc": {"port": 80}},
            ["CMD", "/.hanbae/busybox", "nc", "127.0.0.1", "80", "-e", "/.hanbae/busybox", "true"],
            "grpc",
        ),
        ({"tcpSocket": {"port": "nowhere"}}, None, "probe-port"),
        ({"tcpSocket": {"port": 99999}}, None, "probe-port"),
        ({"httpGet": "odd"}, None, "probe"),
        ({}, None, "probe"),
    ],
)
def test_kinds_of_probes(probe: dict[str, Any], test: list[str] | None, gap: str | None) -> None:
    composition = main({"readinessProbe": probe})
    entry = written(composition)["services"]["auth-service"]
    assert entry.get("healthcheck", {}).get("test") == test
    assert list(compositions.gaps(composition)) == ([gap] if gap else [])


def test_the_command_of_a_probe_is_expanded_with_what_env_says_as_it_says_it() -> None:
    command = ["ok", "$(HOST)$(URL)", "$$(HOST)", "$(NOBODY)", "$(cat $(HOST))", "[$(KEY)]", "$"]
    container = {
        "env": [
            env("HOST", value="db"),
            env("URL", value=":$(HOST)"),
            env("KEY", secret="auth-secrets"),
        ],
        "readinessProbe": {"exec": {"command": command}},
    }
    check = service(main(container)).healthcheck
    assert check is not None
    assert check.test == (
        "CMD", "ok", "db:$(HOST)", "$(HOST)", "$(NOBODY)", "$(cat $(HOST))", "[]", "$",
    )  # fmt: skip


def test_no_chart_gets_power_over_the_machine() -> None:
    container = {
        "securityContext": {
            "privileged": True, "runAsUser": 65532, "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN", "NET_BIND_SERVICE"]},
        },
        "volumeMounts": [
            {"name": "docker", "mountPath": "/var/run/docker.sock"},
            {"name": "nfs", "mountPath": "/nfs"},
            {"name": "token", "mountPath": "/token"},
            {"name": "nobody", "mountPath": "/x"},
        ],
    }  # fmt: skip
    pod = {
        "hostNetwork": True, "hostPID": True,
        "volumes": [
            {"name": "docker", "hostPath": {"path": "/var/run/docker.sock"}},
            {"name": "nfs", "nfs": {"server": "x", "path": "/"}},
            {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
        ],
    }  # fmt: skip
    composition = main(container, **pod)
    entry = written(composition)["services"]["auth-service"]
    assert not {"privileged", "volumes", "network_mode", "pid", "ipc"} & entry.keys()
    assert entry["user"] == "65532"
    assert entry["read_only"] is True
    assert (entry["cap_drop"], entry["cap_add"]) == (["ALL"], ["NET_BIND_SERVICE"])
    assert entry["security_opt"] == ["no-new-privileges:true"]
    counts = {name: len(entries) for name, entries in compositions.gaps(composition).items()}
    assert counts == {"shared": 2, "volume": 4, "capability": 1, "privileged": 1}


def test_user_and_group_are_those_of_the_container_and_of_its_pod() -> None:
    context = {"runAsUser": 65532, "runAsGroup": 0}
    assert service(main({"securityContext": context})).settings["user"] == "65532:0"
    pod = main({"securityContext": {"runAsUser": 1000}}, securityContext={"runAsGroup": 2000})
    assert service(pod).settings["user"] == "1000:2000"


def test_files_come_from_the_clones_own_folder_and_names_cannot_lead_out_of_it() -> None:
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "conf"},
        "data": {"a.toml": "x=$1", "../b": "no"},
    }
    container = {
        "volumeMounts": [
            {"name": "conf", "mountPath": "/etc/app"},
            {"name": "conf", "mountPath": "/etc/one.toml", "subPath": "a.toml"},
            {"name": "tls", "mountPath": "/tls"},
            {"name": "out", "mountPath": "/out"},
            {"name": "data", "mountPath": "/data"},
            {"name": "scratch", "mountPath": "/scratch"},
        ]
    }
    volumes = [
        {"name": "conf", "configMap": {"name": "conf"}},
        {
            "name": "tls",
            "secret": {
                "secretName": "tls",
                "items": [{"key": "k", "path": "deep/key.pem"}, {"key": "k", "path": "../x"}],
            },
        },
        {"name": "out", "secret": {"secretName": "../../etc"}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "scratch", "emptyDir": {"sizeLimit": "1Mi"}},
    ]
    composition = of(compositions.deployment(container, volumes=volumes), config)
    mounts = {entry["target"]: entry for entry in service(composition).settings["volumes"]}
    assert mounts["/etc/app"]["source"] == "./.hanbae/local/files/configmaps/conf"
    assert mounts["/etc/one.toml"]["source"] == "./.hanbae/local/files/configmaps/conf/a.toml"
    assert mounts["/tls/deep/key.pem"]["source"] == "./.hanbae/local/files/secrets/tls/k"
    assert mounts["/data"] == {"type": "volume", "source": "data", "target": "/data"}
    assert mounts["/scratch"] == {"type": "tmpfs", "target": "/scratch", "tmpfs": {"size": 1048576}}
    assert set(mounts) == {"/etc/app", "/etc/one.toml", "/tls/deep/key.pem", "/data", "/scratch"}
    assert {file.path for file in composition.files} == {
        "files/configmaps/conf/a.toml",
        "files/secrets/tls/k",
    }
    assert compositions.gaps(composition) == {"volume": ["auth-service"]}


def test_odd_names_become_names_of_services_and_files() -> None:
    composition = of(compositions.deployment(name="../../x y;$(id)"))
    (name,) = (entry.name for entry in composition.services if entry.role == "workload")
    assert name == "x-y-id"


def test_services_lead_to_workloads_by_every_name_of_cluster_dns_and_a_free_port() -> None:
    exposed = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "auth"},
        "spec": {
            "selector": {"app": "auth-service"},
            "ports": [{"port": 80, "targetPort": "web", "name": "http"}, {"port": 9090}],
        },
    }  # fmt: skip
    other = {
        **exposed,
        "metadata": {"name": "other"},
        "spec": {"selector": {"app": "nobody"}, "ports": [{"port": 1}]},
    }
    container = {"ports": [{"name": "web", "containerPort": 8080}]}
    composition = of(compositions.deployment(container), exposed, other)
    entry = service(composition)
    assert entry.aliases == (
        "auth",
        "auth.services",
        "auth.services.svc",
        "auth.services.svc.cluster.local",
    )
    assert [(port.variable, port.host, port.container) for port in entry.ports] == [
        ("AUTH_SERVICE_HTTP_PORT", 8080, 8080),
        ("AUTH_SERVICE_9090_PORT", 9090, 9090),
    ]
    assert compositions.gaps(composition) == {"service-port": ["auth-service"]}
    assert (
        "127.0.0.1:${AUTH_SERVICE_HTTP_PORT:-8080}:8080"
        in written(composition)["services"]["auth-service"]["ports"]
    )


def test_a_port_of_the_machine_is_given_once() -> None:
    exposed = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "auth-service"},
        "spec": {"selector": {"app": "auth-service"}, "ports": [{"port": 8080}]},
    }  # fmt: skip
    text = compositions.text(compositions.deployment(), exposed)
    composition = compositions.of(text, text.replace("auth", "mail"), text)
    hosts = [port.host for entry in composition.services for port in entry.ports]
    assert len(hosts) == len(set(hosts))
    assert compositions.gaps(composition)["name"]


def test_sidecars_share_their_pods_network_and_init_containers_run_before() -> None:
    beside = {"name": "proxy", "image": "proxy:1"}
    first = {"name": "first", "image": "registry.example.com/auth:1"}
    native = {"name": "agent", "image": "agent:1", "restartPolicy": "Always"}
    manifest = compositions.deployment()
    spec = manifest["spec"]["template"]["spec"]
    spec["containers"].append(beside)
    spec["initContainers"] = [native, first]
    composition = of(manifest)
    assert (
        service(composition, "auth-service-proxy").settings["network_mode"]
        == "service:auth-service"
    )
    assert (
        service(composition, "auth-service-agent").settings["network_mode"]
        == "service:auth-service"
    )
    assert service(composition).depends_on == {"auth-service-first": ENDED}


def native(name: str) -> dict[str, Any]:
    """A container of Kubernetes' own kind of sidecar."""
    return {"name": name, "image": f"{name}:1", "restartPolicy": "Always"}


@pytest.mark.parametrize("first", [[], [{"name": "first", "image": "first:1"}]], ids=["", "init"])
def test_program_beside_a_sidecar_waits_for_its_migrations(first: list[dict[str, Any]]) -> None:
    deployment = compositions.deployment(initContainers=[native("agent"), *first])
    composition = of(deployment, *MIGRATIONS)
    migrated = {"auth-service-migrate-legal": ENDED}
    agent = service(composition, "auth-service-agent")
    assert agent.depends_on == {"auth-service": "service_started"}
    if first:
        assert service(composition, "auth-service-first").depends_on == migrated
        assert service(composition).depends_on == {"auth-service-first": ENDED}
    else:
        assert service(composition).depends_on == migrated


def test_all_containers_of_a_job_are_waited_for_and_wait_for_the_job_before() -> None:
    jobs = [compositions.migration(name, f"{name.upper()}_URL", -2) for name in ("auth", "legal")]
    for job in jobs:
        job["spec"]["template"]["spec"]["containers"].append({"name": "logs", "image": "logs:1"})
    jobs[1]["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] = "-1"
    composition = of(compositions.deployment(), *jobs)
    auth, legal = (f"auth-service-migrate-{name}" for name in ("auth", "legal"))
    for name in (legal, f"{legal}-logs"):
        assert service(composition, name).depends_on == {auth: ENDED, f"{auth}-logs": ENDED}
    assert service(composition).depends_on == {legal: ENDED, f"{legal}-logs": ENDED}


def test_job_beside_a_sidecar_is_in_its_network_and_alone_waited_for() -> None:
    """The sidecar runs on, and the Job may have ended before a sidecar could join its network."""
    job = compositions.migration("auth", "AUTH_URL", -1)
    spec = job["spec"]["template"]["spec"]
    spec["initContainers"] = [native("proxy"), native("agent"), {"name": "first", "image": "f:1"}]
    composition = of(compositions.deployment(), job)
    name = "auth-service-migrate-auth"
    proxy = service(composition, f"{name}-proxy")
    assert proxy.runs_on
    assert (dict(proxy.depends_on), "network_mode" in proxy.settings) == ({}, False)
    for other in (name, f"{name}-agent", f"{name}-first"):
        entry = service(composition, other)
        assert entry.settings["network_mode"] == f"service:{proxy.name}"
        assert entry.depends_on[proxy.name] == "service_started"
    assert service(composition, f"{name}-first").depends_on["postgresql-databases"] == ENDED
    assert service(composition, name).depends_on[f"{name}-first"] == ENDED
    assert service(composition).depends_on == {name: ENDED}


@pytest.mark.parametrize(
    ("quantity", "size", "text"),
    [("128M", 128_000_000, "128000000b"), ("128Mi", 134_217_728, "128m"), ("1Gi", 2**30, "1024m"),
     ("1e3", 1000, "1000b"), ("x", None, ""), ("-1", None, "")],
)  # fmt: skip
def test_memory_is_the_same_amount_in_other_units(
    quantity: str, size: int | None, text: str
) -> None:
    assert limits.memory(quantity) == size
    if size is not None:
        assert limits.written(size) == text
        assert limits.compose_memory(text) == size


def test_cores_are_a_number() -> None:
    assert [limits.cpus(value) for value in ("500m", 2, "1.50", "0", "x")] == [
        "0.5",
        "2",
        "1.5",
        "",
        "",
    ]
    entry = written(main({"resources": {"limits": {"cpu": "250m", "memory": "64Mi"}}}))
    assert entry["services"]["auth-service"]["deploy"]["resources"]["limits"] == {
        "cpus": "0.25",
        "memory": "64m",
    }


def test_servers_that_nothing_uses_wait_behind_their_profile() -> None:
    composition = of(compositions.deployment(), more="local: {postgresql: 'postgres:16.4'}\n")
    postgresql = service(composition, "postgresql")
    assert postgresql.settings["profiles"] == ["postgresql"]
    assert postgresql.settings["volumes"][0]["target"] == "/var/lib/postgresql/data"
    assert service(composition, "valkey").settings["profiles"] == ["valkey"]
    assert composition.service("clickhouse") is None
    used = main({"env": [env("VALKEY_HOST", value="valkey")]})
    assert "profiles" not in service(used, "valkey").settings
    assert service(used).depends_on == {"valkey": "service_healthy"}


def test_engines_and_versions_by_name() -> None:
    names = ["DATABASE_URL", "redisUrl", "CLICKHOUSE_DSN", "MYSQL_DATABASE_URL", "JWT"]
    assert list(map(addresses.engine, names)) == ["postgresql", "valkey", "clickhouse", "", ""]
    images = [
        "postgres:18",
        "postgres:16.4-alpine",
        "r:5000/postgres",
        "postgres@sha256:1",
        "postgres:latest",
        "x:v8.1",
    ]
    assert list(map(components.major, images)) == [18, 16, None, None, None, 8]
    assert reaching.variable("8080-odd.name", "", "PORT") == "P_8080_ODD_NAME_PORT"
