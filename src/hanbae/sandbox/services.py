"""What stands beside the cluster: the registry that images are pulled from, and Redis for Argo CD."""

from __future__ import annotations

import http
import json
from typing import Any, Final

from hanbae.sandbox import namespaces, node, passwords, probing, sites

REDIS_PORT: Final = 6379


def registry(site: sites.Site) -> sites.Daemon:
    """The registry (distribution), with a password, at the inner address."""
    users = site.folder.etc / "registry.htpasswd"
    config = site.folder.etc / "registry.json"
    content: dict[str, Any] = {
        "version": "0.1",
        "log": {"level": "warn"},
        "storage": {
            "filesystem": {"rootdirectory": f"{namespaces.HOME}/registry"},
            "delete": {"enabled": True},
        },
        "http": {"addr": node.registry(site)},
        "auth": {"htpasswd": {"realm": "hanbae-sandbox", "path": str(users)}},
    }
    return sites.Daemon(
        name="registry",
        command=(str(site.programs.path("registry")), "serve", str(config)),
        # Version 3 sends traces to localhost unless it is told not to.
        environment=site.environment(OTEL_TRACES_EXPORTER="none"),
        # Without a login, 401 is the right answer.
        ready=lambda: probing.http_status(
            5000, "/v2/", host=site.identity.inner, want=http.HTTPStatus.UNAUTHORIZED
        ),
        files={
            config: json.dumps(content, indent=2),
            users: f"{passwords.REGISTRY}:{site.passwords.registry_hash}\n",
        },
    )


def redis(site: sites.Site) -> sites.Daemon:
    """Redis without a file: Argo CD keeps nothing in it that it cannot compute again."""
    return sites.Daemon(
        name="redis",
        command=(
            str(site.programs.path("redis-server")),
            "--bind",
            "127.0.0.1",
            "--port",
            str(REDIS_PORT),
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            namespaces.HOME,
        ),
        environment=site.environment(),
        ready=lambda: probing.redis_answers(REDIS_PORT),
    )
