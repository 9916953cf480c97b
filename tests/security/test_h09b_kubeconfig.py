"""kubeconfigs, read by hanbae and by the real kubectl: the same server gets the same request from both, or none."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support import api_servers

from hanbae import errors, wording
from hanbae.clusters import connections, reading

KUBECTL: Final = Path(sys.executable).parent / "kubectl"
V1, BETA = "client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[api_servers.Servers]:
    with api_servers.serving(tmp_path_factory.mktemp("servers")) as running:
        running.authority.issue("jiwon")
        yield running


class Case:
    """What is in the folder of a case, and in its environment."""

    def __init__(self, folder: Path, servers: api_servers.Servers) -> None:
        self.folder = folder
        self.servers = servers
        authority = servers.authority.file
        self.cluster: dict[str, Any] = {
            "server": f"https://{servers.tls}",
            "certificate-authority-data": data(authority),
        }
        self.environment: dict[str, str] = {}
        for name in ("jiwon.crt", "jiwon.key", "ca.crt"):
            (folder / name).write_bytes((authority.parent / name).read_bytes())

    def plugin(self, status: dict[str, Any], *, version: str = BETA, **more: Any) -> dict[str, Any]:
        """A plugin that answers so; ``$NAME`` in it is from its environment."""
        answer = json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status})
        script = self.folder / "plugin"
        script.write_text(
            f"#!/bin/sh\necho run >> '{self.folder}/runs'\ncat <<END\n{answer}\nEND\n"
        )
        script.chmod(0o755)
        return {"exec": {"apiVersion": version, "command": str(script)} | more}

    def write(self, user: dict[str, Any], name: str = "config", **more: Any) -> Path:
        document = {
            "current-context": "dev",
            "clusters": [{"name": "c", "cluster": self.cluster}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "dev", "context": {"cluster": "c", "user": "u"}}],
        }
        path = self.folder / name
        path.write_text(json.dumps(document | more))
        return path


def data(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def user(**keys: Any) -> Any:
    """A file with a user of these keys; ``_`` stands for ``-``, and ``as_`` for ``as``."""
    named = {key.rstrip("_").replace("_", "-"): value for key, value in keys.items()}
    return lambda case: case.write(named)


def cluster(**keys: Any) -> Any:
    """A file with more about the cluster; None takes a key away."""

    def write(case: Case) -> Path:
        for key, value in keys.items():
            case.cluster[key.replace("_", "-")] = value(case) if callable(value) else value
        case.cluster = {key: value for key, value in case.cluster.items() if value is not None}
        return case.write({"token": "t0ken"})

    return write


def plain(write: Any) -> Any:
    """The same user before a server without TLS."""

    def over(case: Case) -> Path:
        case.cluster = {"server": f"http://{case.servers.plain}"}
        return write(case)  # type: ignore[no-any-return]

    return over


def plugin(status: dict[str, Any], **more: Any) -> Any:
    return lambda case: case.write(case.plugin(status, **more))


def token_file(content: str | None, **keys: Any) -> Any:
    def write(case: Case) -> Path:
        if content is not None:
            (case.folder / "token").write_text(content)
        return case.write({"tokenFile": "token"} | keys)

    return write


def with_certificate(**keys: Any) -> Any:
    def write(case: Case) -> Path:
        certificate = {
            "client-certificate-data": data(case.folder / "jiwon.crt"),
            "client-key-data": data(case.folder / "jiwon.key"),
        }
        named = {key.replace("_", "-"): value for key, value in keys.items()}
        both = {key: value for key, value in (certificate | named).items() if value is not None}
        return case.write(both)

    return write


def certificate_by_plugin(case: Case) -> Path:
    status = {
        "clientCertificateData": (case.folder / "jiwon.crt").read_text(),
        "clientKeyData": (case.folder / "jiwon.key").read_text(),
    }
    return case.write(case.plugin(status))


def relative_plugin(case: Case) -> Path:
    described = case.plugin({"token": "relative"})
    described["exec"]["command"] = "./plugin"
    return case.write(described)


def told_plugin(case: Case) -> Path:
    """A plugin whose token is made of what it is told about the cluster and of its own variables."""
    script = case.folder / "plugin"
    script.write_text(
        f"#!{sys.executable}\n"
        "import json, os\n"
        "info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
        "cluster = info['spec']['cluster']\n"
        "token = '.'.join([os.environ['TEAM'], info['apiVersion'][-2:], cluster['config']['a'],\n"
        "    str('certificate-authority-data' in cluster), cluster['server'].partition(':')[0]])\n"
        "print(json.dumps({'apiVersion': info['apiVersion'], 'kind': 'ExecCredential',\n"
        "    'status': {'token': token}}))\n"
    )
    script.chmod(0o755)
    case.cluster["extensions"] = [
        {"name": "client.authentication.k8s.io/exec", "extension": {"a": "b"}}
    ]
    return case.write({
        "exec": {
            "apiVersion": V1, "command": str(script), "provideClusterInfo": True,
            "interactiveMode": "Never", "env": [{"name": "TEAM", "value": "blue"}],
        }
    })  # fmt: skip


def several(case: Case) -> Path:
    first = case.write({"token": "first", "as": "viewer"}, "first")
    second = case.write({"token": "second"}, "second", **{"current-context": "other"})
    case.environment["KUBECONFIG"] = f"{first}:{case.folder / 'absent'}:{second}"
    return first


def several_complete_each_other(case: Case) -> Path:
    """User and context in one file, cluster and current context in another."""
    first = case.write({"token": "t"}, "first", **{"clusters": [], "current-context": ""})
    second = case.write({"token": "other"}, "second", contexts=[])
    case.environment["KUBECONFIG"] = f"{first}:{second}"
    return first


def variables(server: str = f"https://{api_servers.NAME}", **environment: str) -> Any:
    """A server by its name, behind the proxy of the environment; {proxy} is its address."""

    def write(case: Case) -> Path:
        port = case.servers.tls.rpartition(":")[2]
        case.cluster["server"] = f"{server}:{port}"
        for name, value in environment.items():
            case.environment[name] = value.format(proxy=case.servers.proxy, port=port)
        return case.write({"token": "t"})

    return write


def text(content: str) -> Any:
    """A file in YAML, whose cluster is the TLS server."""

    def write(case: Case) -> Path:
        path = case.folder / "config"
        cluster = json.dumps(case.cluster)
        path.write_text(
            f"current-context: dev\nclusters: [{{name: c, cluster: {cluster}}}]\n"
            f"contexts: [{{name: dev, context: {{cluster: c, user: u}}}}]\n{content}"
        )
        return path

    return write


AS = {"as_": "viewer", "as_groups": ["a", "b"], "as_uid": "7"}
EXTRA = {"Reason": ["x", "y"], "example.com/some%thing": ["z"]}

#: The same request from both, or none from either.
SAME: Final[dict[str, Any]] = {
    "token": user(token="t0ken"),
    "act as somebody": user(token="t0ken", **AS),
    "act with more": user(token="t0ken", as_="viewer", as_user_extra=EXTRA),
    "act as 지원": user(token="t0ken", as_="지원"),
    "groups without a user to act as": user(token="t0ken", as_groups=["admins"]),
    "uid without a user to act as": user(token="t0ken", as_uid="7"),
    "extra without a user to act as": user(token="t0ken", as_user_extra=EXTRA),
    "token over http": plain(user(token="t0ken")),
    "password over http": plain(user(username="u", password="p")),
    "token file over http": plain(token_file("t0ken")),
    "certificate over http": plain(with_certificate()),
    "plugin over http": plain(plugin({"token": "t0ken"})),
    "act as somebody over http": plain(user(token="t0ken", **AS)),
    "server without a scheme": cluster(
        server=lambda case: case.servers.plain, certificate_authority_data=None
    ),
    "password": user(username="u", password="p"),
    "user name alone": user(username="u"),
    "token and password": user(token="t0ken", username="u", password="p"),
    "token file": token_file("t0ken\n"),
    "token file that wins over a token": token_file("of-file", token="of-key"),
    "token where the file is missing": token_file(None, token="of-key"),
    "token file that is missing": token_file(None),
    "certificate as data": with_certificate(),
    "certificate in files": user(client_certificate="jiwon.crt", client_key="jiwon.key"),
    "certificate without a key": with_certificate(client_key_data=None),
    "certificate twice": with_certificate(client_certificate="jiwon.crt"),
    "key twice": with_certificate(client_key="jiwon.key"),
    "key that is not base64": with_certificate(client_key_data="%%%"),
    "key alone that is not base64": user(client_key_data="%%%"),
    "certificate and act as": with_certificate(**{"as": "viewer"}),
    "certificate and token": with_certificate(token="t0ken"),
    "authority in a file": cluster(
        certificate_authority="ca.crt", certificate_authority_data=None
    ),
    "authority that is missing": cluster(
        certificate_authority="absent.crt", certificate_authority_data=None
    ),
    "authority nobody knows": cluster(certificate_authority_data=None),
    "any certificate": cluster(certificate_authority_data=None, insecure_skip_tls_verify=True),
    "any certificate and an authority": cluster(insecure_skip_tls_verify=True),
    "another name": cluster(tls_server_name=api_servers.NAME),
    "another name that is not the server's": cluster(tls_server_name="evil.example.com"),
    "a path": cluster(server=lambda case: f"https://{case.servers.tls}/clusters/c1"),
    "a path with a query": cluster(server=lambda case: f"https://{case.servers.tls}/c1?a=b#c"),
    "another scheme": cluster(server=lambda case: f"ftp://{case.servers.tls}"),
    "no server": cluster(server=None),
    "proxy": cluster(proxy_url=lambda case: f"http://{case.servers.proxy}"),
    "proxy and another name": cluster(
        proxy_url=lambda case: f"http://{case.servers.proxy}", tls_server_name=api_servers.NAME
    ),
    "proxy of an unknown kind": cluster(proxy_url="ftp://127.0.0.1:1"),
    "proxy of the environment": variables(HTTPS_PROXY="http://{proxy}"),
    "proxy in small letters without a scheme": variables(https_proxy="{proxy}"),
    "proxy for http only": variables(HTTP_PROXY="http://{proxy}"),
    "proxy for everything, which Go does not know": variables(ALL_PROXY="http://{proxy}"),
    "proxy not for this name": variables(
        HTTPS_PROXY="http://{proxy}", NO_PROXY="example.com"
    ),
    "proxy not for names below": variables(
        HTTPS_PROXY="http://{proxy}", NO_PROXY="x, .example.com"
    ),
    "proxy for other ports": variables(
        HTTPS_PROXY="http://{proxy}", NO_PROXY="api.example.com:1"
    ),
    "proxy not for this port": variables(
        HTTPS_PROXY="http://{proxy}", no_proxy="api.example.com:{port}"
    ),
    "proxy not for this machine": variables("https://127.0.0.1", HTTPS_PROXY="http://{proxy}"),
    "proxy not for a network": variables(
        "https://192.0.2.7", HTTPS_PROXY="http://{proxy}", NO_PROXY="10.0.0.0/8, 192.0.2.0/24"
    ),
    "proxy for other networks": variables(
        "https://192.0.2.7", HTTPS_PROXY="http://{proxy}", NO_PROXY="192.0.2.0/30, 10.0.0.0/8"
    ),
    "plugin": plugin({"token": "t0ken"}),
    "plugin with variables": plugin(
        {"token": "$TEAM"}, env=[{"name": "TEAM", "value": "blue"}], args=["a"]
    ),
    "plugin that is told of the cluster": told_plugin,
    "plugin of v1 without a mode": plugin({"token": "t0ken"}, version=V1),
    "plugin of v1": plugin({"token": "t0ken"}, version=V1, interactiveMode="IfAvailable"),
    "plugin that needs a terminal": plugin(
        {"token": "t0ken"}, version=V1, interactiveMode="Always"
    ),
    "plugin of v1alpha1": plugin(
        {"token": "t0ken"}, version="client.authentication.k8s.io/v1alpha1"
    ),
    "plugin by a relative path": relative_plugin,
    "plugin that gives a certificate": certificate_by_plugin,
    "plugin that gives half a certificate": plugin({"clientCertificateData": "x"}),
    "plugin that gives nothing": plugin({}),
    "plugin that is missing": user(exec={"apiVersion": BETA, "command": "hanbae-no-such"}),
    "plugin that fails": user(exec={"apiVersion": BETA, "command": "false"}),
    "plugin that answers another version": lambda case: case.write({
        "exec": case.plugin({"token": "t"}, version=V1)["exec"] | {"apiVersion": BETA}
    }),
    "plugin and act as": lambda case: case.write(case.plugin({"token": "t"}) | {"as": "viewer"}),
    "auth-provider": user(**{"auth-provider": {"name": "gcp"}}),
    "several files": several,
    "several files that complete each other": several_complete_each_other,
    "the same name twice": lambda case: case.write(
        {}, users=[{"name": "u", "user": {"token": "a"}}, {"name": "u", "user": {"token": "b"}}]
    ),
    "cluster that is not there": lambda case: case.write({"token": "t"}, clusters=[]),
    "a number for a token": text("users: [{name: u, user: {token: 123}}]\n"),
    "keys without values": text(
        "users: [{name: u, user: {token: t, as: null, as-groups: null, exec: null}}]\n"
    ),
    "anchors": text("x: &t t0ken\nusers: [{name: u, user: {token: *t, as: *t}}]\n"),
    "a token in a block, with its line break": text(
        "users:\n- name: u\n  user:\n    token: |\n      t0ken\n"
    ),
    "a word for true": text("users: [{name: u, user: {token: t, as: yes}}]\n"),
    "no YAML": text("users: [\n"),
}  # fmt: skip

#: kubectl goes on with less than the file says, or asks the terminal; hanbae refuses.
STRICTER: Final[dict[str, Any]] = {
    "a user's key that nobody knows": user(token="t0ken", as_group=["admins"]),
    "a plugin's key that nobody knows": plugin({"token": "t"}, environment=[]),
    "a cluster's key that nobody knows": cluster(verify=False),
    "token and plugin": lambda case: case.write(case.plugin({"token": "p"}) | {"token": "t"}),
    "user that is not there": lambda case: case.write({}, users=[]),
    "a password in the address": cluster(server=lambda case: f"https://u:p@{case.servers.tls}"),
}  # fmt: skip


def by_kubectl(case: Case, path: Path) -> tuple[list[api_servers.Request], bool]:
    case.servers.take()
    environment = {"HOME": str(case.folder), "PATH": os.environ["PATH"], "KUBECONFIG": str(path)}
    subprocess.run(
        [str(KUBECTL), "get", "--raw", "/version", "--request-timeout=3s"],
        env=environment | case.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    requests, proxied = case.servers.take()
    # The one thing in the address that is kubectl's own.
    requests = [replace(it, path=it.path.removesuffix("?timeout=3s")) for it in requests]
    return requests, proxied


async def by_hanbae(
    case: Case, path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[api_servers.Request], bool]:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(connections, "CONNECT_TIMEOUT", 1.0)
    for name, value in ({"KUBECONFIG": str(path)} | case.environment).items():
        monkeypatch.setenv(name, value)
    case.servers.take()
    try:
        async with connections.connect() as connected:
            await reading.version(connected)
    except errors.Error:
        requests, proxied = case.servers.take()
        assert not requests
        return [], proxied
    return case.servers.take()


@pytest.mark.filterwarnings("ignore::hanbae.wording.Warned")
@pytest.mark.parametrize("name", SAME)
async def test_hanbae_asks_as_kubectl_does(
    name: str, servers: api_servers.Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case(tmp_path, servers)
    path = SAME[name](case)
    expected = by_kubectl(case, path)
    runs = (tmp_path / "runs").exists()
    (tmp_path / "runs").unlink(missing_ok=True)
    assert await by_hanbae(case, path, monkeypatch) == expected
    assert (tmp_path / "runs").exists() == runs


@pytest.mark.filterwarnings("ignore::hanbae.wording.Warned")
@pytest.mark.parametrize("name", STRICTER)
async def test_hanbae_refuses_what_it_does_not_understand(
    name: str, servers: api_servers.Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case(tmp_path, servers)
    monkeypatch.setenv("KUBECONFIG", str(STRICTER[name](case)))
    servers.take()
    with pytest.raises(errors.WrongUse) as caught:
        async with connections.connect():
            pytest.fail("connected")
    assert not servers.take()[0]
    assert "p@" not in str(caught.value)


@pytest.mark.parametrize(
    ("write", "text_id"),
    [
        (plain(user(token="t0ken")), "cluster.not-encrypted"),
        (SAME["any certificate"], "cluster.not-verified"),
    ],
)
async def test_a_connection_that_proves_nothing_is_said_aloud(
    write: Any, text_id: str, servers: api_servers.Servers, tmp_path: Path
) -> None:
    path = write(Case(tmp_path, servers))
    with pytest.warns(wording.Warned) as caught:
        async with connections.connect(kubeconfig=path) as connected:
            assert not connected.verified
    (warning,) = caught
    assert isinstance(warning.message, wording.Warned)
    assert warning.message.text.id == text_id
