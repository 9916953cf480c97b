"""Who hanbae is to an API server: tokens, tokens in files that are rotated, passwords, and programs that give them.

A credential plugin can be missing, fail or answer nonsense; that is an expected failure of the user's environment, and
it must neither be taken for a bug nor leave this package as somebody else's exception.
The protocol of the plugins: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx2
from msgspec import Struct

from hanbae import errors, foreign_json, masking
from hanbae.clusters import answers, kubeconfigs, tls

_EARLY: Final = timedelta(seconds=30)
"""Before a credential expires, so that it does not expire on the way."""
_LARGEST: Final = 1024 * 1024
"""Bytes that a plugin may answer."""
_UNAUTHORIZED: Final = 401
# The characters of a header's name (RFC 9110, token) without "%", which begins an escape.
_PLAIN: Final = "!#$&'*+-.^_`|~"


def impersonation(user: kubeconfigs.User) -> list[tuple[bytes, bytes]]:
    """The headers that say whom the user acts as.

    These go over plain HTTP too, as kubectl sends them: they take rights away and prove nothing.
    """
    headers = []
    if user.as_user:
        headers.append(("Impersonate-User", user.as_user))
    if user.as_uid:
        headers.append(("Impersonate-Uid", user.as_uid))
    headers += [("Impersonate-Group", group) for group in user.as_groups or ()]
    for key, values in (user.as_user_extra or {}).items():
        name = f"Impersonate-Extra-{quote(key.lower(), safe=_PLAIN)}"
        headers += [(name, value) for value in values]
    for name, value in headers:
        # A line break would begin another header, and with it another identity.
        if any(character in value for character in "\r\n\0"):
            raise ValueError(name)
    return [(name.encode(), value.encode()) for name, value in headers]


def of(
    server: kubeconfigs.Server,
    user: kubeconfigs.User,
    context: str,
    connection: ssl.SSLContext,
    renew: Callable[[], Awaitable[None]],
) -> httpx2.Auth | None:
    """What signs requests to a server as a user; None where nothing does.

    Nothing does without TLS: like kubectl, hanbae sends no credentials over plain HTTP, to whomever.

    Args:
        server: The server.
        user: The user.
        context: The context's name, for errors.
        connection: The TLS settings, for a plugin that answers with a certificate.
        renew: Has requests go over new connections from now on, which show that certificate.
    """
    if not server.encrypted:
        return None
    # As in client-go a token's file wins over the token. Of the others only one can be there: the
    # rest was refused by `kubeconfigs.of_context`.
    if user.token_file:
        return _File(user.token_file, user.token, context)
    if user.token:
        return _Token(user.token, context)
    if user.username:
        return httpx2.BasicAuth(user.username, user.password)
    if user.exec:
        return _Plugin(user.exec, server, context, connection, renew)
    return None


class _Token(httpx2.Auth):
    """A token that does not change."""

    def __init__(self, token: str, context: str) -> None:
        self._header = _bearer(token, context)

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        request.headers["authorization"] = self._header
        yield request


class _File(httpx2.Auth):
    """A token in a file, which is read for each request: the kubelet and others rotate it."""

    def __init__(self, path: str, otherwise: str, context: str) -> None:
        self._path = Path(path)
        self._otherwise = otherwise
        self._context = context

    def _read(self) -> str:
        return self._path.read_text("utf-8").strip()

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        why = "-"
        try:
            token = await asyncio.to_thread(self._read)
        except (OSError, UnicodeDecodeError) as error:
            token, why = "", str(error)
        # As with kubectl, the token in the kubeconfig is for when the file has none.
        token = token or self._otherwise
        if not token:
            raise _no_credentials(self._context, f"{self._path}: {why}")
        request.headers["authorization"] = _bearer(token, self._context)
        yield request


class Credential(Struct, frozen=True, rename="camel"):
    """What a plugin answers."""

    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""
    expiration_timestamp: datetime | None = None

    @property
    def expired(self) -> bool:
        """Whether it is of no use any more, or soon."""
        end = self.expiration_timestamp
        return end is not None and end - _EARLY <= datetime.now(UTC)


class _Answer(Struct, frozen=True, rename="camel"):
    status: Credential
    api_version: str = ""


class _Plugin(httpx2.Auth):
    """What a program answers, until it expires or the server does not take it any more.

    It runs for one request at a time, because a deployment opens a dozen watches at once and each would start it.
    """

    def __init__(
        self,
        plugin: kubeconfigs.Plugin,
        server: kubeconfigs.Server,
        context: str,
        connection: ssl.SSLContext,
        renew: Callable[[], Awaitable[None]],
    ) -> None:
        self._plugin = plugin
        self._server = server
        self._context = context
        self._connection = connection
        self._renew = renew
        self._lock = asyncio.Lock()
        self._credential: Credential | None = None

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        credential = await self._current(None)
        self._sign(request, credential)
        response = yield request
        # A request that gets a 401 was not carried out, so a write may be sent again, too.
        if response.status_code == _UNAUTHORIZED:
            self._sign(request, await self._current(credential))
            yield request

    def _sign(self, request: httpx2.Request, credential: Credential) -> None:
        if credential.token:
            request.headers["authorization"] = _bearer(credential.token, self._context)

    async def _current(self, refused: Credential | None) -> Credential:
        """A credential that has not expired and is not the one that was refused."""
        async with self._lock:
            credential = self._credential
            # By identity: where another request has renewed it meanwhile, that one is taken and no
            # program runs.
            if credential is None or credential is refused or credential.expired:
                credential = self._credential = await self._run()
                if credential.client_certificate_data:
                    await self._show(credential)
            return credential

    async def _show(self, credential: Credential) -> None:
        certificate, key = credential.client_certificate_data, credential.client_key_data
        try:
            tls.show(self._connection, certificate.encode(), key.encode())
        except (ssl.SSLError, OSError) as error:
            raise _no_credentials(self._context, f"clientCertificateData: {error}") from None
        await self._renew()

    async def _run(self) -> Credential:
        plugin = self._plugin
        interactive = (
            plugin.interactive_mode != "Never" and sys.stdin is not None and sys.stdin.isatty()
        )
        if plugin.interactive_mode == "Always" and not interactive:
            raise _no_credentials(self._context, f"{plugin.command}: interactiveMode: Always")
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                plugin.command,
                *(plugin.args or ()),
                env=self._environment(interactive=interactive),
                stdin=None if interactive else asyncio.subprocess.DEVNULL,
                stdout=pipe,
                # What it asks a person stands on the terminal.
                stderr=None if interactive else pipe,
            )
        except (OSError, ValueError) as error:
            why = f"{plugin.command}: {getattr(error, 'strerror', None) or error}"
            raise _no_credentials(self._context, why, hint=plugin.install_hint) from None
        output, complaint = await process.communicate()
        if process.returncode:
            complaint_text = (complaint or b"").decode("utf-8", "replace")
            raise _no_credentials(
                self._context, f"{plugin.command}: {complaint_text or process.returncode}"
            )
        return self._decoded(output)

    def _environment(self, *, interactive: bool) -> Mapping[str, str]:
        plugin, server = self._plugin, self._server
        spec: dict[str, Any] = {"interactive": interactive}
        if plugin.provide_cluster_info:
            spec["cluster"] = _described(server)
        info = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}
        named = {variable.name: variable.value for variable in plugin.env or ()}
        return {**os.environ, **named, "KUBERNETES_EXEC_INFO": json.dumps(info)}

    def _decoded(self, output: bytes) -> Credential:
        if len(output) > _LARGEST:
            raise _no_credentials(self._context, f"{self._plugin.command}: > {_LARGEST} bytes")
        try:
            answer = foreign_json.decode(output, _Answer)
        except foreign_json.Fault as error:
            raise _no_credentials(self._context, f"{self._plugin.command}: {error}") from None
        credential = answer.status
        lacking = not credential.token and not credential.client_certificate_data
        if answer.api_version != self._plugin.api_version:
            why = f"apiVersion: {answer.api_version or '-'} ≠ {self._plugin.api_version}"
        elif bool(credential.client_certificate_data) != bool(credential.client_key_data):
            why = "clientCertificateData, clientKeyData"
        elif lacking:
            why = "status.token: -"
        else:
            return credential
        raise _no_credentials(self._context, f"{self._plugin.command}: {why}")


def _described(server: kubeconfigs.Server) -> dict[str, Any]:
    """The cluster as a plugin is told of it."""
    authority = server.certificate_authority_data
    if not authority and server.certificate_authority:
        authority = base64.b64encode(Path(server.certificate_authority).read_bytes()).decode()
    described = {
        "server": server.server,
        "tls-server-name": server.tls_server_name,
        "insecure-skip-tls-verify": server.insecure_skip_tls_verify,
        "certificate-authority-data": authority,
        "proxy-url": server.proxy_url,
        "disable-compression": server.disable_compression,
        "config": server.plugin_config,
    }
    return {name: value for name, value in described.items() if value}


def _bearer(token: str, context: str) -> str:
    if not token.isascii() or not token.isprintable() or " " in token:
        raise _no_credentials(context, "token: not printable ASCII")
    return f"Bearer {token}"


def _no_credentials(context: str, why: str, *, hint: str = "") -> errors.Unreachable:
    """The error; what a program says about its failure may hold what it was about."""
    why = answers.bounded(masking.Redactor()(f"{why} {hint}" if hint else why))
    return errors.Unreachable("cluster.no-credentials", context=context, why=why or "-")
