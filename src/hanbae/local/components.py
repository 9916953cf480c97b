"""The servers that charts expect in the cluster, as services of Compose: PostgreSQL, Valkey, ClickHouse."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any, Final

from hanbae import patterns
from hanbae.local.composition import (
    DATABASES,
    FOLDER,
    TOOLS,
    Healthcheck,
    Port,
    Service,
)
from hanbae.policy import documents

ENGINES: Final = ("postgresql", "valkey", "clickhouse")
"""The servers, as the policy's purposes and :mod:`hanbae.local.addresses` call them, in lower case."""
USERS: Final = {"postgresql": "postgres", "clickhouse": "default"}
_FROM_18: Final = 18
_MAJOR: Final = patterns.lazy(r"[^0-9]{0,10}([0-9]{1,3})(?:[^0-9].{0,100})?", re.DOTALL)

# By standard input, because psql replaces no variables in --command; by \gexec, because PostgreSQL
# knows no CREATE DATABASE IF NOT EXISTS.
_CREATE: Final = """\
for name in "$@"; do
    printf '%s\\n' "SELECT format('CREATE DATABASE %I', :'name')
        WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \\\\gexec" |
        psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --set=name="$name" --dbname=postgres
done
"""
"""Makes each database that is not there: at every start, since a server that has data runs no scripts of its own."""


def expected(policy: documents.Policy) -> frozenset[str]:
    """The servers that the policy names among the purposes of its namespaces."""
    words = {word.strip().lower() for space in policy.namespaces.values() for word in space.purpose}
    names = {"postgres": "postgresql", "redis": "valkey"} | {name: name for name in ENGINES}
    return frozenset(names[word] for word in words if word in names)


def of(
    policy: documents.Policy, used: Collection[str], databases: Sequence[str], *, tools: bool
) -> tuple[Service, ...]:
    """The servers as services.

    Args:
        policy: The policy.
        used: Those that services have addresses or variables of; others that the policy names start only when they are
            asked for, by their profile.
        databases: The databases of PostgreSQL.
        tools: Whether something is probed over the network.
    """
    local = policy.local
    present = expected(policy) | frozenset(used)
    services: list[Service] = []
    if "postgresql" in present:
        services += _postgresql(local.postgresql, databases, "postgresql" in used)
    if "valkey" in present:
        services.append(_valkey(local.valkey, "valkey" in used))
    if "clickhouse" in present:
        services.append(_clickhouse(local.clickhouse, "clickhouse" in used))
    if tools:
        services.append(_tools(local.tools))
    return tuple(services)


def major(image: str) -> int | None:
    """The major version that an image's tag begins with; None where it has none."""
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    match = _MAJOR.fullmatch(tag)
    return int(match[1]) if match else None


def _profile(name: str, used: bool) -> dict[str, Any]:
    return {} if used else {"profiles": [name]}


def _volume(name: str, target: str) -> list[dict[str, Any]]:
    return [{"type": "volume", "source": name, "target": target}]


def _postgresql(image: str, databases: Sequence[str], used: bool) -> list[Service]:
    # Since 18, the image keeps each major version's data in a folder of its own below this one.
    is_older = (major(image) or _FROM_18) < _FROM_18
    data = "/var/lib/postgresql/data" if is_older else "/var/lib/postgresql"
    settings = {
        "env_file": [f"{FOLDER}/env/postgresql.env"],
        "restart": "on-failure:5",
        "volumes": _volume("postgresql-data", data),
    } | _profile("postgresql", used)
    server = Service(
        name="postgresql",
        role="component",
        image=image,
        healthcheck=Healthcheck(
            # Over TCP: while the image prepares its data, a server listens on a socket only.
            ("CMD", "pg_isready", "-q", "-h", "127.0.0.1", "-U", "postgres"),
            interval=2,
            timeout=3,
            retries=30,
        ),
        ports=(Port(5432, 15432, "POSTGRESQL_PORT"),),
        settings=settings,
    )
    if not databases:
        return [server]
    maker = Service(
        name=DATABASES,
        role="component",
        image=image,
        entrypoint=("/bin/sh", "-euc", _CREATE, "databases"),
        command=tuple(databases),
        environment={"PGHOST": "postgresql", "PGUSER": "postgres"},
        depends_on={"postgresql": "service_healthy"},
        settings={"env_file": [f"{FOLDER}/env/postgresql.env"]} | _profile("postgresql", used),
    )
    return [server, maker]


def _valkey(image: str, used: bool) -> Service:
    return Service(
        name="valkey",
        role="component",
        image=image,
        healthcheck=Healthcheck(("CMD", "valkey-cli", "ping"), interval=2, timeout=3, retries=30),
        ports=(Port(6379, 16379, "VALKEY_PORT"),),
        settings={"restart": "on-failure:5", "volumes": _volume("valkey-data", "/data")}
        | _profile("valkey", used),
    )


def _clickhouse(image: str, used: bool) -> Service:
    return Service(
        name="clickhouse",
        role="component",
        image=image,
        healthcheck=Healthcheck(
            ("CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8123/ping"),
            interval=2,
            timeout=3,
            retries=60,
        ),
        ports=(Port(8123, 18123, "CLICKHOUSE_HTTP_PORT", "http"),),
        settings={
            "env_file": [f"{FOLDER}/env/clickhouse.env"],
            "restart": "on-failure:5",
            "volumes": _volume("clickhouse-data", "/var/lib/clickhouse"),
        }
        | _profile("clickhouse", used),
    )


def _tools(image: str) -> Service:
    return Service(
        name=TOOLS,
        role="component",
        image=image,
        entrypoint=("cp", "/bin/busybox", "/tools/busybox"),
        command=(),
        settings={"network_mode": "none", "volumes": _volume(TOOLS, "/tools")},
    )
