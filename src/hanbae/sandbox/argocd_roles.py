"""Argo CD without pods: four roles of its one program, against the sandbox's API server.

The API server of Argo CD asks for a login, as a real one does; only TLS is left off, on an address that exists on
this machine alone.
Between the roles TLS stays on: without it 3.6 stumbles over its own default for the client's CA.
"""

from __future__ import annotations

import base64
import http.client
import json
from pathlib import Path
from typing import Any, Final

from hanbae import errors, foreign_json
from hanbae.sandbox import folders, passwords, probing, services, sites

NAMESPACE: Final = "argocd"
PORT: Final = 8080
_REPOSITORIES: Final = "127.0.0.1:8081"
_KINDS: Final = frozenset({"applications", "applicationsets", "appprojects"})
_FIELD_MANAGER: Final = "hanbae-sandbox"


def roles(site: sites.Site) -> tuple[sites.Daemon, ...]:
    """The daemons, repository server first: the others ask it."""
    redis = f"--redis=127.0.0.1:{services.REDIS_PORT}"
    repositories = f"--repo-server={_REPOSITORIES}"
    namespace = f"--namespace={NAMESPACE}"
    git = site.folder.etc / "gitconfig"
    return (
        _role(
            site,
            "repo-server",
            # It reads every repository that it is asked for, as root: nobody else on the machine may ask.
            ("--address=127.0.0.1", "--port=8081", "--metrics-address=127.0.0.1", redis),
            8084,
            files={git: "[safe]\n\tdirectory = *\n[gc]\n\tauto = 0\n"},
            GIT_CONFIG_GLOBAL=str(git),
            GIT_CONFIG_NOSYSTEM="1",
        ),
        _role(site, "application-controller", (namespace, redis, repositories), 8082),
        _role(
            site,
            "applicationset-controller",
            (
                namespace,
                f"--argocd-repo-server={_REPOSITORIES}",
                "--metrics-addr=127.0.0.1:12345",
                "--probe-addr=127.0.0.1:12346",
                "--webhook-addr=127.0.0.1:7001",
            ),
            12345,
            path="/metrics",  # it answers no health request, although it listens for them
        ),
        _role(
            site,
            "server",
            # 0.0.0.0, because its own gateway calls it on the loopback interface.
            (namespace, redis, repositories, "--insecure", f"--port={PORT}"),
            PORT,
        ),
    )


def _role(
    site: sites.Site,
    name: str,
    arguments: tuple[str, ...],
    port: int,
    *,
    path: str = "/healthz",
    files: dict[Path, str] | None = None,
    **environment: str,
) -> sites.Daemon:
    home = site.folder.root / "argocd"
    for part in ("tls", "ssh", "gpg/source", "gpg/keys", "plugins", "tmp"):
        (home / part).mkdir(mode=0o700, parents=True, exist_ok=True)
    return sites.Daemon(
        name=f"argocd-{name}",
        command=(str(site.programs.path("argocd")), *arguments),
        environment=site.environment(
            ARGOCD_BINARY_NAME=f"argocd-{name}",
            ARGOCD_FAKE_IN_CLUSTER="true",
            ARGOCD_GNUPGHOME=str(home / "gpg" / "keys"),
            ARGOCD_GPG_DATA_PATH=str(home / "gpg" / "source"),
            ARGOCD_GPG_ENABLED="false",
            ARGOCD_PLUGINSOCKFILEPATH=str(home / "plugins"),
            ARGOCD_SSH_DATA_PATH=str(home / "ssh"),
            ARGOCD_TLS_DATA_PATH=str(home / "tls"),
            HOSTNAME=f"argocd-{name}-0",
            KUBECONFIG=str(site.folder.pki / "argocd.kubeconfig"),
            TMPDIR=str(home / "tmp"),
            **environment,
        ),
        ready=lambda: probing.http_status(port, path),
        files=files or {},
    )


def define(site: sites.Site) -> bool:
    """Give the API server Argo CD's kinds. The slowest step of all, so it begins as early as it can."""
    folder = (site.programs.argocd_manifests / "crds").resolve()
    # The folder of a build is called after its content, so its path says of which release the kinds are.
    record, release = site.folder.root / "argocd-kinds", str(folder).encode()
    if record.is_file() and record.read_bytes() == release and not defined(site):
        return False
    # Server-side: the ApplicationSet's schema is larger than the annotation of a client-side apply may be.
    site.apply(f"--field-manager={_FIELD_MANAGER}", "--kustomize", str(folder))
    folders.write(record, release)
    return True


def defined(site: sites.Site) -> str:
    """Why one of Argo CD's kinds is not served yet; empty if all are."""
    # Established is not enough: the roles end, or sleep 10 s, when the first request for a kind finds nobody.
    return site.api.discovered("argoproj.io/v1alpha1", _KINDS)


def configure(site: sites.Site) -> bool:
    """Apply Argo CD's own configuration, and over it the sandbox's few settings and its password."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    site.apply("-f", "-", stdin=json.dumps(namespace).encode())
    folder = site.programs.argocd_manifests / "base" / "config"
    site.apply("--namespace", NAMESPACE, "--kustomize", str(folder))
    # Another field manager, so that neither apply takes the other's fields away.
    own = json.dumps(_settings(site)).encode()
    site.apply(f"--field-manager={_FIELD_MANAGER}", "-f", "-", stdin=own)
    return not site.folder.ready.exists()


def _settings(site: sites.Site) -> dict[str, Any]:
    def object_(kind: str, name: str, **content: dict[str, str]) -> dict[str, Any]:
        labels = {"app.kubernetes.io/part-of": "argocd"}
        metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
        return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **content}

    secret = {
        "admin.password": site.passwords.argocd_hash,
        # A fixed time in the past: Argo CD takes no session from before it, so a new time at each
        # `up` would end them all.
        "admin.passwordMtime": "2026-01-01T00:00:00Z",
        "server.secretkey": site.passwords.argocd_signing.unmask().decode(),
    }
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in secret.items()}
    items = [
        object_("Secret", "argocd-secret", data=encoded),
        object_("ConfigMap", "argocd-cm", data={"users.session.duration": "720h"}),
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def log_in(site: sites.Site) -> bool:
    """Write a configuration for the ``argocd`` program that is logged in, so that it just works.

    Raises:
        errors.Failed: Argo CD refuses the password that it was given.
    """
    file = site.folder.root / "argocd-cli" / "config"
    server = f"{site.identity.inner}:{PORT}"
    if file.exists() and not _session(server, file):
        return False
    login = {"username": passwords.ARGOCD, "password": site.passwords.argocd.unmask().decode()}
    connection = http.client.HTTPConnection(site.identity.inner, PORT, timeout=20)
    try:
        body, kind = json.dumps(login), {"Content-Type": "application/json"}
        connection.request("POST", "/api/v1/session", body, kind)
        response = connection.getresponse()
        answer = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise errors.Failed("sandbox.argocd-login", reason=str(error)) from error
    finally:
        connection.close()
    if response.status != http.HTTPStatus.OK:
        raise errors.Failed("sandbox.argocd-login", reason=f"{response.status} {response.reason}")
    config = {
        "contexts": [{"name": server, "server": server, "user": server}],
        "current-context": server,
        "servers": [{"server": server, "plain-text": True, "grpc-web-root-path": ""}],
        "users": [{"name": server, "auth-token": json.loads(answer)["token"]}],
    }
    folders.write(file, json.dumps(config, indent=2))
    return True


def _session(server: str, file: Path) -> str:
    """Why there is no good session in the configuration file; empty if there is."""
    # The argocd program writes the file anew as YAML, at each of its logins and logouts in the sandbox's shell.
    config = foreign_json.mapping(file.read_bytes())
    user = next(iter(foreign_json.mappings(config.get("users"))), {})
    token = user.get("auth-token")
    if not isinstance(token, str):
        return "not as hanbae has written it"
    host, _, port = server.partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    try:
        connection.request("GET", "/api/v1/account", headers={"Authorization": f"Bearer {token}"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return str(error)
    finally:
        connection.close()
    return "" if status == http.HTTPStatus.OK else str(status)
