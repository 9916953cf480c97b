"""Registries that ask for tokens, redirect, break and lie."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable

import httpx2
import pytest

from hanbae import errors, masking
from hanbae.images import credentials, layouts, references, registry, transporting

REGISTRY = "registry.example.com"
CREDENTIALS = credentials.Credentials(REGISTRY, "shop", masking.Masked(b"c4n4ry"))
TOKEN = credentials.Credentials(REGISTRY, "", masking.Masked(b"c4n4ry-identity"))
BASIC = "Basic " + base64.b64encode(b"shop:c4n4ry").decode()
AUTH = references.parse(f"{REGISTRY}/shop/auth:1")
IMAGE = layouts.image([layouts.layer([layouts.File("/a", b"x")])], {"Labels": {"a": "b"}})

Handler = Callable[[httpx2.Request], httpx2.Response]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transporting, "_PAUSE", 0)


def connected(
    handler: Handler, login: credentials.Credentials | None = CREDENTIALS, host: str = REGISTRY
) -> registry.Registry:
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    origin = httpx2.URL(f"https://{host}")
    return registry.Registry(transporting.Transport(client, origin, login))


def unauthorized(realm: str) -> httpx2.Response:
    challenge = f'Bearer realm="{realm}",service="{REGISTRY}",scope="whatever"'
    return httpx2.Response(401, headers={"www-authenticate": challenge})


def digest_answer() -> httpx2.Response:
    return httpx2.Response(200, headers={"docker-content-digest": IMAGE.digest})


@pytest.mark.parametrize(
    "login", [CREDENTIALS, None, TOKEN], ids=["password", "anonymous", "identity token"]
)
async def test_token_is_fetched_for_exactly_what_is_done(
    login: credentials.Credentials | None,
) -> None:
    requests: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        if request.url.host == "example.com":
            return httpx2.Response(200, json={"token": "t0ken"})
        if request.headers.get("authorization") == "Bearer t0ken":
            return digest_answer()
        return unauthorized("https://example.com/token?x=1")

    assert await connected(handler, login).digest(AUTH) == IMAGE.digest
    token = requests[1]
    if login is TOKEN:
        assert token.method == "POST"
        form = dict(pair.split("=") for pair in token.content.decode().split("&"))
        assert form["refresh_token"] == "c4n4ry-identity"
        assert "authorization" not in token.headers
    else:
        assert token.url.params["scope"] == "repository:shop/auth:pull"
        assert token.url.params["service"] == REGISTRY
        assert token.url.params["x"] == "1"
        assert token.headers.get("authorization") == (BASIC if login else None)
    assert "c4n4ry" not in str(requests[2].headers)


@pytest.mark.parametrize(
    ("host", "realm"),
    [
        (REGISTRY, "https://evil.example.org/token"),
        (REGISTRY, "http://auth.example.com/token"),
        (REGISTRY, "ftp://registry.example.com/token"),
        (REGISTRY, ""),
        (REGISTRY, "/token"),
        ("10.1.2.3:5000", "https://10.9.2.3:5000/token"),
        ("localhost:5000", "https://evil/token"),
        (REGISTRY, f"https://{REGISTRY}:99999999/token"),
    ],
)
async def test_credentials_are_not_sent_where_a_challenge_points(host: str, realm: str) -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        assert request.url.netloc.decode() == host
        return unauthorized(realm)

    login = credentials.Credentials(host, "shop", masking.Masked(b"c4n4ry"))
    with pytest.raises(errors.Refused) as caught:
        await connected(handler, login, host).digest(references.parse(f"{host}/shop/auth:1"))
    assert "c4n4ry" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(401),
        httpx2.Response(200, json={}),
        httpx2.Response(200, text="<html>"),
        httpx2.Response(200, json={"token": "a\r\nx: y"}),
        httpx2.Response(200, json=["token"]),
    ],
)
async def test_token_server_that_hands_out_none_is_forbidden(answer: httpx2.Response) -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        return answer if request.url.path == "/token" else unauthorized(f"https://{REGISTRY}/token")

    with pytest.raises(errors.Forbidden):
        await connected(handler).digest(AUTH)


async def test_denied_with_a_token_is_forbidden_and_ends() -> None:
    requests = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        if request.url.path == "/token":
            return httpx2.Response(200, json={"access_token": "t"})
        return unauthorized(f"https://{REGISTRY}/token")

    with pytest.raises(errors.Forbidden):
        await connected(handler).digest(AUTH)
    assert len(requests) == 3


def basic(handler: Handler) -> Handler:
    """The same registry behind a password."""

    def behind(request: httpx2.Request) -> httpx2.Response:
        own = request.url.host == REGISTRY
        if own and request.headers.get("authorization") != BASIC:
            return httpx2.Response(401, headers={"www-authenticate": 'Basic realm="x"'})
        return handler(request)

    return behind


@pytest.mark.parametrize(
    "elsewhere", ["https://cdn.example.org/blob?sig=1", "https://registry.example.com:8443/blob"]
)
async def test_redirect_to_another_place_carries_no_credentials(elsewhere: str) -> None:
    requests: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        if "/manifests/" in request.url.path:
            headers = {"content-type": layouts.MANIFEST_TYPE}
            return httpx2.Response(200, content=IMAGE.manifest, headers=headers)
        if "/blobs/" in request.url.path:
            return httpx2.Response(307, headers={"location": elsewhere})
        return httpx2.Response(200, content=IMAGE.config)

    def behind(request: httpx2.Request) -> httpx2.Response:
        if str(request.url) == elsewhere:
            return handler(request)
        return basic(handler)(request)

    config = await connected(behind).config(AUTH)
    assert config is not None
    assert config["config"] == {"Labels": {"a": "b"}}
    assert str(requests[-1].url) == elsewhere
    assert "authorization" not in requests[-1].headers


@pytest.mark.parametrize(
    "location",
    [
        "http://registry.example.com/x",
        "file:///etc/passwd",
        "https://registry.example.com/loop",
        "https://registry.example.com:port/x",
        "https://registry.example.com:99999999/x",
    ],
)
async def test_redirect_to_something_weaker_endless_or_impossible_is_not_followed(
    location: str,
) -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        assert request.url.scheme == "https"
        return httpx2.Response(307, headers={"location": location})

    with pytest.raises(errors.Unreachable):
        await connected(handler).manifest(AUTH)


async def test_upload_goes_to_its_location_with_its_query() -> None:
    puts: list[httpx2.URL] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        if request.method == "HEAD":
            return httpx2.Response(404)
        if request.method == "POST":
            # As behind a proxy that ends TLS: the registry does not know its own scheme.
            location = f"http://{REGISTRY}/v2/shop/auth/blobs/uploads/id?_state=a%2Fb%3D"
            return httpx2.Response(202, headers={"location": location})
        puts.append(request.url)
        return httpx2.Response(201)

    assert await connected(basic(handler)).push(IMAGE, AUTH) == IMAGE.digest
    layer, config, manifest = puts
    assert layer.scheme == "https"
    assert dict(layer.params) == {"_state": "a/b=", "digest": IMAGE.layers[0].digest}
    assert config.params["digest"] == IMAGE.config_digest
    assert manifest.path == "/v2/shop/auth/manifests/1"


@pytest.mark.parametrize("scheme", ["http://", "https://", ""], ids=["before a proxy", "own", ""])
async def test_next_page_of_tags_is_read_as_the_first_one_was(scheme: str) -> None:
    pages: list[httpx2.URL] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        pages.append(request.url)
        if len(pages) > 1:
            return httpx2.Response(200, json={"tags": ["2"]})
        place = f"{scheme}{REGISTRY}" if scheme else ""
        link = f'<{place}/v2/shop/auth/tags/list?last=1>; rel="next"'
        return httpx2.Response(200, json={"tags": ["1"]}, headers={"link": link})

    assert await connected(handler).tags(AUTH) == ["1", "2"]
    assert str(pages[1]) == f"https://{REGISTRY}/v2/shop/auth/tags/list?last=1"


async def test_upload_to_another_host_carries_no_credentials() -> None:
    elsewhere: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        if request.url.host != REGISTRY:
            elsewhere.append(request)
        if request.method == "HEAD":
            return httpx2.Response(404)
        if request.method == "POST":
            return httpx2.Response(202, headers={"location": "https://storage.example.org/u?k=v"})
        return httpx2.Response(201)

    await connected(basic(handler)).push(IMAGE, AUTH)
    assert len(elsewhere) == 2
    assert all("authorization" not in request.headers for request in elsewhere)


@pytest.mark.parametrize(
    "location", ["https://storage.example.org:port/u", "https://storage.example.org:99999999/u"]
)
async def test_upload_to_what_is_no_address_is_not_begun(location: str) -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        assert request.method != "PUT"
        if request.method == "HEAD":
            return httpx2.Response(404)
        return httpx2.Response(202, headers={"location": location})

    with pytest.raises(errors.Unreachable):
        await connected(handler).push(IMAGE, AUTH)


async def test_tags_that_go_on_at_what_is_no_address_are_not_read() -> None:
    def handler(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(
            200,
            json={"tags": ["1.0.0"]},
            headers={"link": f'<https://{REGISTRY}:port/>; rel="next"'},
        )

    with pytest.raises(errors.Unreachable):
        await connected(handler).tags(AUTH)


async def test_refusal_of_a_push_is_told_in_the_registrys_words() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        fault = {"code": "MANIFEST_INVALID", "message": "password=c4n4ry"}
        return httpx2.Response(400 if request.method == "PUT" else 200, json={"errors": [fault]})

    with pytest.raises(errors.Failed) as caught:
        await connected(handler).push(IMAGE, AUTH)
    assert caught.value.text.facts["message"] == "MANIFEST_INVALID: password=•••"


async def test_reading_survives_a_broken_connection_and_a_busy_registry() -> None:
    answers = iter([httpx2.ReadError("broken"), httpx2.Response(503), digest_answer()])

    def handler(request: httpx2.Request) -> httpx2.Response:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await connected(handler).digest(AUTH) == IMAGE.digest


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_registry_that_stays_broken_is_unreachable(status: int) -> None:
    with pytest.raises(errors.Unreachable):
        await connected(lambda _: httpx2.Response(status)).digest(AUTH)


async def test_digest_is_computed_where_the_registry_does_not_say_it() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=IMAGE.manifest if request.method == "GET" else b"")

    assert await connected(handler).digest(AUTH) == IMAGE.digest


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_manifest_that_is_not_the_one_asked_for_is_refused(algorithm: str) -> None:
    manifests = [IMAGE.manifest, b"{}"]

    def handler(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=manifests.pop(0))

    reference = AUTH.with_digest(
        f"{algorithm}:{hashlib.new(algorithm, IMAGE.manifest).hexdigest()}"
    )
    server = connected(handler)
    manifest = await server.manifest(reference)
    assert manifest is not None
    assert (manifest.body, manifest.digest) == (IMAGE.manifest, reference.digest)
    with pytest.raises(errors.Unreachable):
        await server.manifest(reference)


async def test_answer_without_end_is_cut_off() -> None:
    class Endless(httpx2.AsyncByteStream):
        async def __aiter__(self):  # noqa: ANN204
            while True:
                yield b"x" * 65536

    with pytest.raises(errors.Unreachable, match="too-large"):
        await connected(lambda _: httpx2.Response(200, stream=Endless())).manifest(AUTH)


async def test_image_of_several_platforms_gives_the_wanted_ones_configuration() -> None:
    platforms = [
        {"os": "windows", "architecture": "amd64"},
        {"os": "linux", "architecture": "amd64"},
    ]
    entries = [
        {"digest": digest, "platform": platform}
        for digest, platform in zip([layouts.digest_of(b""), IMAGE.digest], platforms, strict=True)
    ]
    index = json.dumps({"manifests": entries}).encode()
    kind = "application/vnd.oci.image.index.v1+json"

    def handler(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/manifests/1"):
            return httpx2.Response(200, content=index, headers={"content-type": kind})
        if "/manifests/" in request.url.path:
            return httpx2.Response(200, content=IMAGE.manifest)
        return httpx2.Response(200, content=IMAGE.config)

    config = await connected(handler).config(AUTH, architecture="amd64")
    assert config is not None
    assert config["config"] == {"Labels": {"a": "b"}}
    assert await connected(handler).config(AUTH, architecture="riscv64") is None


async def test_registry_that_speaks_plain_http_is_told_with_what_helps() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, httpx2.AsyncClient(trust_env=False) as client:
        transport = transporting.Transport(client, httpx2.URL(f"https://{host}"), None)
        with pytest.raises(errors.Unreachable) as caught:
            await registry.Registry(transport).digest(references.parse(f"{host}/shop/auth:1"))
    assert caught.value.text.id == transporting.SPEAKS_PLAINLY
    assert caught.value.text.facts == {"host": host}


async def test_registry_that_breaks_off_is_not_taken_for_a_plain_one() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, httpx2.AsyncClient(trust_env=False) as client:
        transport = transporting.Transport(client, httpx2.URL(f"https://{host}"), None)
        with pytest.raises(errors.Unreachable) as caught:
            await registry.Registry(transport).digest(references.parse(f"{host}/shop/auth:1"))
    assert caught.value.text.id == "registry.unreachable"
