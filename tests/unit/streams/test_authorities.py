"""Whoever hanbae speaks TLS to, it is as strict about certificates on one Python as on another."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.support import sealing

from hanbae import masking
from hanbae.argocd_api import connections as argocd
from hanbae.charts import helm_settings, web
from hanbae.clusters import kubeconfigs, tls
from hanbae.forges import connections as forges
from hanbae.forges import logins
from hanbae.images import registry
from hanbae.notifying import posting, webhooks
from hanbae.results import notices

TOKEN = masking.Masked(b"x")


class Recorded(Exception):
    """The settings of a client that was made; no request follows."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Python's default from 3.13 on, and an authority of the company's own."""
    default = ssl.create_default_context

    def strict(*arguments: Any, **options: Any) -> ssl.SSLContext:
        context = default(*arguments, **options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    def record(_: object, *, verify: Any = True, **options: Any) -> None:
        context = verify
        if not isinstance(verify, ssl.SSLContext):
            context = httpx2.create_ssl_context(trust_env=options.get("trust_env", True))
        raise Recorded(context)

    monkeypatch.setattr(ssl, "create_default_context", strict)
    (tmp_path / "ca.pem").write_bytes(sealing.certificate(sealing.key()))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    for client in (httpx2.AsyncClient, httpx2.Client):
        monkeypatch.setattr(client, "__init__", record)


async def argo_cd() -> None:
    variables = {"ARGOCD_SERVER": "argocd.example.com", "ARGOCD_AUTH_TOKEN": "x"}
    async with argocd.connect(None, environment=variables | {"ARGOCD_CONFIG_DIR": "/nowhere"}):
        pass


async def forge() -> None:
    login = logins.Login("gitea", "https://git.example.com", TOKEN, "X")
    async with forges.connect(login, "https://git.example.com/api"):
        pass


async def images() -> None:
    async with registry.connect("registry.example.com"):
        pass


async def charts() -> None:
    async with web.opened():
        pass


async def chat() -> None:
    posting.client()


async def webhook() -> None:
    key = "whsec_" + base64.b64encode(b"k" * 32).decode()
    now = datetime.now(UTC)
    notice = notices.Notice("d", 1, "ended", "auth", "dev", "0" * 40, "kim", now)
    webhooks.Webhook("ops", "https://hooks.example.com/a", key).send(notice, "title", "text")


@pytest.mark.parametrize(
    "connect",
    [argo_cd, forge, images, charts, chat, webhook],
    ids=lambda connect: str(connect.__name__),
)
async def test_clients_believe_what_other_programs_believe(
    connect: Callable[[], Awaitable[None]],
) -> None:
    with pytest.raises(Recorded) as recorded:
        await connect()
    assert_unstrict(recorded.value.context)


def test_a_cluster_and_a_repository_with_an_authority_of_their_own_are_believed_alike(
    tmp_path: Path,
) -> None:
    authority = str(tmp_path / "ca.pem")
    server = kubeconfigs.Server(
        server="https://cluster.example.com", certificate_authority=authority
    )
    assert_unstrict(tls.context(server, kubeconfigs.User()))
    entry = helm_settings.Repository(
        name="own", url="https://charts.example.com", ca_file=authority
    )
    with pytest.raises(Recorded) as recorded:
        web._new_client(web._context(entry))
    assert_unstrict(recorded.value.context)


def assert_unstrict(context: ssl.SSLContext) -> None:
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
