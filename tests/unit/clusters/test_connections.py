"""What becomes of requests that fail, against real sockets."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import ssl
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.support import ended_handshakes

from hanbae import errors, excerpts
from hanbae.clusters import (
    answers,
    connections,
    kinds,
    kubeconfigs,
    reading,
    tls,
    watching,
    writing,
)

OURS = errors.Error
# Most servers here speak plain HTTP, which is said aloud.
pytestmark = pytest.mark.filterwarnings("ignore::hanbae.wording.Warned")


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def kubeconfig(folder: Path, server: str, *, user: dict[str, Any] | None = None) -> Path:
    unverified = {"insecure-skip-tls-verify": True} if user and server.startswith("https") else {}
    document = {
        "current-context": "dev",
        "clusters": [{"name": "c", "cluster": {"server": server} | unverified}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [{"name": "dev", "context": {"cluster": "c", "user": "u"}}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(document))
    return path


class Listener:
    """Answers each connection on a real socket with the next of the given bytes, then hangs up."""

    def __init__(
        self, *replies: bytes, tls: ssl.SSLContext | None = None, silent: bool = False
    ) -> None:
        self._hang_up = asyncio.Event()
        if not silent:
            self._hang_up.set()
        self.replies = list(replies)
        self.requests: list[bytes] = []
        self._tls = tls
        self._served: list[asyncio.Task[Any]] = []

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        async with server:
            port = server.sockets[0].getsockname()[1]
            yield f"{'https' if self._tls else 'http'}://127.0.0.1:{port}"
            self._hang_up.set()
        await asyncio.gather(*self._served)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._served.append(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head)
            if self.replies:
                writer.write(self.replies.pop(0))
                await writer.drain()
            await self._hang_up.wait()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()


def reply(status: int, body: Any = b"", **headers: str) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join(
        [f"HTTP/1.1 {status} X", f"content-length: {len(content)}", "connection: close", *lines]
    )
    return head.encode() + b"\r\n\r\n" + content


def status(code: int, reason: str, message: str, **details: str) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "code": code,
        "reason": reason,
        "message": message,
        "details": details,
    }


async def test_server_that_is_not_there_is_unreachable_and_named(tmp_path: Path) -> None:
    async with Listener().listening() as address:
        pass  # now nobody listens there any more
    async with connections.connect(kubeconfig=kubeconfig(tmp_path, address)) as cluster:
        with pytest.raises(errors.Unreachable) as caught:
            await reading.version(cluster)
    facts = caught.value.text.facts
    assert caught.value.text.id == "cluster.unreachable"
    assert (facts["server"], facts["context"]) == (address, "dev")


async def test_certificate_that_is_not_trusted_is_told_apart(tmp_path: Path) -> None:
    listener = Listener(tls=self_signed(tmp_path))
    async with (
        listener.listening() as address,
        connections.connect(kubeconfig=kubeconfig(tmp_path, address)) as cluster,
    ):
        with pytest.raises(errors.Unreachable) as caught:
            await reading.version(cluster)
    assert caught.value.text.id == "cluster.untrusted"


@pytest.mark.parametrize(
    "words", ended_handshakes.WORDS.values(), ids=ended_handshakes.WORDS.keys()
)
async def test_handshake_that_breaks_off_is_an_outage_and_no_distrust(
    tmp_path: Path, words: str
) -> None:
    async with (
        ended_handshakes.listening(words) as address,
        connections.connect(kubeconfig=kubeconfig(tmp_path, address)) as cluster,
    ):
        with pytest.raises(errors.Unreachable) as reading_failed:
            await reading.version(cluster)
        with pytest.raises(errors.Unreachable) as writing_failed:
            await writing.delete(cluster, kinds.JOB, "dev", "x")
    assert reading_failed.value.text.id == "cluster.unreachable"
    assert writing_failed.value.text.id == "cluster.unreachable"


async def test_server_that_wants_a_clients_certificate_is_told_apart(tmp_path: Path) -> None:
    """With TLS 1.3 it says so when the handshake is over for the client, which has sent its request by then."""
    context = self_signed(tmp_path)
    context.verify_mode = ssl.CERT_REQUIRED

    served: list[asyncio.Task[Any] | None] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(received, sent, server_side=True)
        with contextlib.suppress(ConnectionError):
            # Read on: who closes a connection with bytes that were not read resets it, and no alert arrives.
            while chunk := await reader.read(65536):
                received.write(chunk)
                with contextlib.suppress(ssl.SSLError):
                    tls.do_handshake()
                writer.write(sent.read())
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        address = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        path = kubeconfig(tmp_path, address, user={"token": "x"})
        async with connections.connect(kubeconfig=path) as cluster:
            with pytest.raises(errors.Unreachable) as reading_failed:
                await reading.version(cluster)
            with pytest.raises(answers.Unanswered):
                await writing.delete(cluster, kinds.JOB, "dev", "x")
    await asyncio.gather(*filter(None, served))
    assert reading_failed.value.text.id == "cluster.untrusted"


async def test_server_that_takes_no_connection_is_unreachable_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "ANSWER_TIMEOUT", 0.2)
    async with (
        Listener(silent=True).listening() as address,
        connections.connect(kubeconfig=kubeconfig(tmp_path, address)) as cluster,
    ):
        with pytest.raises(errors.Unreachable):
            await reading.version(cluster)
        with pytest.raises(answers.Unanswered):
            await writing.delete(cluster, kinds.JOB, "dev", "x")


async def test_read_on_a_broken_connection_is_repeated_and_a_write_is_not(tmp_path: Path) -> None:
    listener = Listener(b"", reply(200, {"gitVersion": "v1.35.4"}), b"")
    async with (
        listener.listening() as address,
        connections.connect(kubeconfig=kubeconfig(tmp_path, address)) as cluster,
    ):
        assert await reading.version(cluster) == "v1.35.4"
        assert len(listener.requests) == 2
        with pytest.raises(answers.Unanswered):
            await writing.create(cluster, kinds.JOB, {"metadata": {"namespace": "d", "name": "x"}})
        assert len(listener.requests) == 3


async def test_what_the_server_puts_off_is_asked_again(tmp_path: Path) -> None:
    listener = Listener(
        reply(429, b"later", retry_after="0"), reply(200, {"gitVersion": "v1"}), reply(429)
    )
    async with (
        listener.listening() as address,
        connections.connect(kubeconfig=kubeconfig(tmp_path, address)) as cluster,
    ):
        assert await reading.version(cluster) == "v1"
        with pytest.raises(errors.Unreachable):
            await reading.version(cluster)


async def test_a_pause_that_is_no_number_is_not_waited_for(tmp_path: Path) -> None:
    listener = Listener(reply(429, b"later", retry_after="nan"), reply(200, {"gitVersion": "v1"}))
    async with (
        listener.listening() as address,
        connections.connect(kubeconfig=kubeconfig(tmp_path, address)) as cluster,
    ):
        with pytest.raises(errors.Unreachable):
            await reading.version(cluster)


RBAC = (
    'jobs.batch is forbidden: User "ci" cannot create resource "jobs" in API group "batch" '
    'in the namespace "dev"'
)


@pytest.mark.parametrize(
    ("code", "body", "error", "text"),
    [
        (401, status(401, "Unauthorized", "Unauthorized"), errors.Forbidden, "unauthorised"),
        (403, status(403, "Forbidden", RBAC), errors.Forbidden, "forbidden"),
        (403, status(403, "Forbidden", "exceeded quota: q"), answers.Denied, "denied"),
        (403, b"<html>", errors.Forbidden, "forbidden"),
        (404, status(404, "NotFound", "no", name="dev"), answers.Missing, "missing"),
        (404, b"404 page not found", errors.WrongUse, "unknown-kind"),
        (409, status(409, "AlreadyExists", "x"), answers.Exists, "exists"),
        (409, status(409, "Conflict", "x"), answers.Conflict, "conflict"),
        (422, status(422, "Invalid", "x"), answers.Invalid, "invalid"),
        (500, status(500, "InternalError", "x"), answers.Unanswered, "unanswered"),
        (503, b"", errors.Unreachable, "failing"),
        (302, b"", answers.Invalid, "invalid"),
        (200, b"<html>Sign in</html>", errors.Unreachable, "failing"),
    ],
)
async def test_every_answer_becomes_the_error_that_a_caller_acts_on(
    tmp_path: Path, code: int, body: Any, error: type[Exception], text: str
) -> None:
    listener = Listener(reply(code, body))
    manifest = {"metadata": {"namespace": "dev", "name": "x"}}
    async with (
        listener.listening() as address,
        connections.connect(kubeconfig=kubeconfig(tmp_path, address)) as cluster,
    ):
        with pytest.raises(OURS) as caught:
            await writing.create(cluster, kinds.JOB, manifest)
    assert type(caught.value) is error
    assert caught.value.text.id == f"cluster.{text}"


async def test_servers_sentence_is_masked_and_bounded(tmp_path: Path) -> None:
    message = "invalid: postgresql://app:hunter2secret@db/app " + "x" * 5000
    listener = Listener(reply(422, status(422, "Invalid", message)))
    async with (
        listener.listening() as address,
        connections.connect(kubeconfig=kubeconfig(tmp_path, address)) as cluster,
    ):
        with pytest.raises(answers.Invalid) as caught:
            await reading.find(cluster, kinds.JOB, "dev")
    shown = str(caught.value)
    assert "hunter2secret" not in shown
    assert len(caught.value.text.facts["message"]) == excerpts.SENTENCE


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "Job", "metadata": {}},
        {"kind": "List", "items": []},
        {"kind": "JobList", "items": [{}]},
        {"kind": "JobList", "items": {"metadata": {"name": "x"}}},
        {"kind": "Job", "metadata": None},
        {"kind": "Job", "metadata": {"name": 7}},
        {"status": {"userInfo": []}},
    ],
)
async def test_answer_that_no_api_server_gives_is_unreachable_and_not_an_empty_cluster(
    tmp_path: Path, body: dict[str, Any]
) -> None:
    listener = Listener(*[reply(200, body)] * 6)
    job = {"metadata": {"namespace": "dev", "name": "x", "resourceVersion": "1"}}
    async with (
        listener.listening() as address,
        connections.connect(kubeconfig=kubeconfig(tmp_path, address)) as cluster,
    ):
        for asking in (
            reading.version(cluster),
            reading.identity(cluster),
            reading.uid(cluster),
            reading.get(cluster, kinds.JOB, "dev", "x"),
            reading.find(cluster, kinds.JOB, "dev"),
            writing.replace(cluster, kinds.JOB, job),
        ):
            with pytest.raises(errors.Unreachable) as caught:
                await asking
            assert caught.value.text.id == "cluster.nonsense"


async def test_answer_without_end_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LARGEST_ANSWER", 2 * 1024 * 1024)
    listener = Listener(*[reply(200, b" " * 3_000_000)] * 3)
    async with (
        listener.listening() as address,
        connections.connect(kubeconfig=kubeconfig(tmp_path, address)) as cluster,
    ):
        with pytest.raises(errors.Unreachable) as caught:
            await reading.version(cluster)
    assert caught.value.text.id == "cluster.too-large"
    assert len(listener.requests) == 1


def all_of(error: type[BaseException]) -> list[type[BaseException]]:
    return [error, *(deeper for below in error.__subclasses__() for deeper in all_of(below))]


@pytest.mark.parametrize(
    "foreign",
    [error for error in all_of(httpx2.HTTPError) if error.__module__.startswith("httpx2")],
    ids=lambda error: error.__name__,
)
async def test_no_exception_of_the_http_library_leaves_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, foreign: type[httpx2.HTTPError]
) -> None:
    """Whatever the library may ever raise, for requests and in the middle of streams."""
    request = httpx2.Request("GET", "http://127.0.0.1", headers={"authorization": "Bearer t0ken"})
    if issubclass(foreign, httpx2.HTTPStatusError):
        error: Exception = foreign("x", request=request, response=httpx2.Response(500))
    else:
        error = foreign("x")

    async def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(httpx2.AsyncClient, "send", fail)
    path = kubeconfig(tmp_path, "http://127.0.0.1:1")
    async with connections.connect(kubeconfig=path) as cluster:
        with pytest.raises(errors.Unreachable) as caught:
            await reading.version(cluster)
        links: list[watching.Link] = []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(watching.watch(cluster, kinds.JOB, "dev", on_link=links.append))
    assert links
    assert not links[0].live
    assert caught.value.__cause__ is None
    assert "t0ken" not in repr(caught.value) + str(caught.value)


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff", None])
async def test_a_token_file_without_a_token_is_said(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    path = kubeconfig(tmp_path, "https://127.0.0.1:1", user={"tokenFile": "token"})
    async with connections.connect(kubeconfig=path) as cluster:
        with pytest.raises(errors.Unreachable) as caught:
            await reading.version(cluster)
    assert caught.value.text.id == "cluster.no-credentials"
    assert str(tmp_path / "token") in caught.value.text.facts["why"]


async def test_credential_plugin_that_fails_is_an_error_of_ours(tmp_path: Path) -> None:
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "interactiveMode": "Never",
        "command": "sh",
        "args": ["-c", "echo session expired >&2; exit 3"],
    }
    path = kubeconfig(tmp_path, "https://127.0.0.1:1", user={"exec": plugin})
    async with connections.connect(kubeconfig=path) as cluster:
        with pytest.raises(errors.Unreachable) as caught:
            await reading.version(cluster)
    assert caught.value.text.id == "cluster.no-credentials"
    assert "session expired" in caught.value.text.facts["why"]


@pytest.mark.parametrize("output", ["", "{}", '{"status": {}}', "[1]"])
async def test_credential_plugin_that_answers_nonsense_is_an_error_of_ours(
    tmp_path: Path, output: str
) -> None:
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "printf",
        "args": ["%s", output],
    }
    path = kubeconfig(tmp_path, "https://127.0.0.1:1", user={"exec": plugin})
    async with connections.connect(kubeconfig=path) as cluster:
        with pytest.raises(errors.Unreachable) as caught:
            await reading.version(cluster)
    assert caught.value.text.id == "cluster.no-credentials"


async def test_credential_plugin_runs_once_for_many_requests(tmp_path: Path) -> None:
    script = tmp_path / "login"
    script.write_text(
        '#!/bin/sh\necho run >> "$0.runs"\n'
        'case "$KUBERNETES_EXEC_INFO" in *\'"interactive": false\'*) ;; *) exit 1;; esac\n'
        'echo \'{"apiVersion": "client.authentication.k8s.io/v1beta1", "status": {"token": "abc"}}\'\n'
    )
    script.chmod(stat.S_IRWXU)
    plugin = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "./login"}
    listener = Listener(*[reply(200, {"gitVersion": "v1"})] * 5, tls=self_signed(tmp_path))
    async with listener.listening() as address:
        path = kubeconfig(tmp_path, address, user={"exec": plugin})
        async with connections.connect(kubeconfig=path) as cluster:
            await asyncio.gather(*(reading.version(cluster) for _ in range(5)))
    assert all(
        b"authorization: Bearer abc" in head.replace(b"A", b"a", 1)
        or b"Authorization: Bearer abc" in head
        for head in listener.requests
    )
    assert (tmp_path / "login.runs").read_text() == "run\n"


def test_unusable_context_is_wrong_use(tmp_path: Path) -> None:
    async def attempt(user: dict[str, Any]) -> None:
        path = kubeconfig(tmp_path, "https://127.0.0.1:1", user=user)
        async with connections.connect(kubeconfig=path):
            pytest.fail("connected")

    broken = {"client-certificate-data": "bm90IGEgY2VydA==", "client-key-data": "bm90IGEga2V5"}
    for user, text_id in (
        (broken, "cluster.bad-context"),
        ({"client-key-data": "%%%"}, "cluster.bad-context"),
        ({"auth-provider": {"name": "oidc"}}, "cluster.unsupported-key"),
        ({"token": "a", "username": "b"}, "cluster.keys-exclude"),
        ({"as-groups": ["a"]}, "cluster.key-needs"),
    ):
        with pytest.raises(errors.WrongUse) as caught:
            asyncio.run(attempt(user))
        assert caught.value.text.id == text_id


def test_keys_go_to_openssl_without_a_file_on_a_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def note(event: str, details: tuple[Any, ...]) -> None:
        if recording and event == "open":
            opened.append(str(details[0]))

    self_signed(tmp_path)
    pem = base64.b64encode((tmp_path / "server.pem").read_bytes()).decode()
    user = kubeconfigs.User(client_certificate_data=pem, client_key_data=pem)
    recording: list[bool] = []
    sys.addaudithook(note)
    recording.append(True)
    tls.context(kubeconfigs.Server("https://127.0.0.1", insecure_skip_tls_verify=True), user)
    recording.clear()
    assert opened
    assert all(path.isdigit() for path in opened)  # descriptors of anonymous memory


def self_signed(folder: Path) -> ssl.SSLContext:
    import datetime as dt

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


@pytest.mark.parametrize("proxied", [False, True])
async def test_handshake_that_is_broken_off_closes_the_connection(
    tmp_path: Path, proxied: bool
) -> None:
    begun, closed = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if proxied:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await reader.read(1)
        begun.set()
        while await reader.read(1024):
            pass
        closed.set()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        path = kubeconfig(tmp_path, "https://192.0.2.1" if proxied else f"https://{address}")
        if proxied:
            content = json.loads(path.read_text())
            content["clusters"][0]["cluster"]["proxy-url"] = f"http://{address}"
            path.write_text(json.dumps(content))
        async with connections.connect(kubeconfig=path) as cluster:
            asking = asyncio.create_task(reading.get(cluster, kinds.JOB, "default", "probe"))
            await begun.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            async with asyncio.timeout(10):
                await closed.wait()
