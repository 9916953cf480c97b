"""Against a real registry: distribution itself, with a password."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.registries import PASSWORD, USER, login, running

from hanbae import errors
from hanbae.actions import init, new_service, set_image
from hanbae.charts import values
from hanbae.images import layouts, references, registry


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("registry")) as address:
        yield address


def image(word: str = "one", size: int = 10) -> layouts.Image:
    layer = layouts.layer([layouts.File("/app/hello", word.encode() + bytes(size), mode=0o755)])
    return layouts.image([layer], {"Entrypoint": ["/app/hello"], "Labels": {"word": word}})


async def test_pushed_image_is_there_under_its_tag_and_its_digest(server: str) -> None:
    reference = references.parse(f"{server}/shop/auth:1.0")
    built = image()
    assert await registry.digest(reference, login(server)) is None
    assert await registry.push(built, reference, login(server)) == built.digest
    assert await registry.digest(reference, login(server)) == built.digest
    assert await registry.digest(reference.with_digest(built.digest), login(server)) == built.digest
    async with registry.connect(server, login(server)) as connected:
        manifest = await connected.manifest(reference)
        config = await connected.config(reference)
    assert manifest is not None
    assert manifest.body == built.manifest
    assert manifest.media_type == layouts.MANIFEST_TYPE
    assert config is not None
    assert config["config"]["Labels"] == {"word": "one"}


async def test_pushing_again_uploads_nothing_and_a_tag_moves(server: str) -> None:
    reference = references.parse(f"{server}/shop/moving:1.0")
    first, second = image("first", 3_000_000), image("second")
    for pushed in (first, first, second):
        assert await registry.push(pushed, reference, login(server)) == pushed.digest
    assert await registry.digest(reference, login(server)) == second.digest
    assert await registry.digest(reference.with_digest(first.digest), login(server)) == first.digest


async def test_image_without_a_tag_is_pushed_by_its_digest(server: str) -> None:
    reference = references.parse(f"{server}/shop/tagless")
    built = image("tagless")
    await registry.push(built, reference, login(server))
    assert await registry.digest(reference.with_digest(built.digest), login(server)) == built.digest
    assert await registry.digest(reference, login(server)) is None


@pytest.mark.parametrize("known_user", [None, "wrong"])
async def test_wrong_password_is_forbidden_and_not_shown(
    server: str, known_user: str | None
) -> None:
    reference = references.parse(f"{server}/shop/auth:1.0")
    credentials = login(server, "c4n4ry-wrong") if known_user else None
    for doing in (
        registry.digest(reference, credentials),
        registry.push(image(), reference, credentials),
    ):
        with pytest.raises(errors.Forbidden) as caught:
            await doing
        assert "c4n4ry" not in str(caught.value)
        assert caught.value.text.facts["host"] == server


async def test_credentials_of_another_host_are_not_sent(server: str) -> None:
    reference = references.parse(f"{server}/shop/auth:1.0")
    with pytest.raises(ValueError, match="not for"):
        await registry.digest(reference, login("registry.example.com"))


async def test_registry_that_is_not_there_is_unreachable() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(errors.Unreachable) as caught:
            await registry.digest(references.parse(f"{address}/shop/auth:1.0"), login(address))
    assert not isinstance(caught.value, errors.Forbidden)
    assert address in str(caught.value)


async def test_plain_http_is_not_spoken_to_another_machine_unasked() -> None:
    """A server that any machine could be: it must meet TLS or nothing, and never the password."""
    received = bytearray()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.extend(await reader.read(4096))
        writer.write(
            b"HTTP/1.1 401 no\r\nwww-authenticate: Basic realm=x\r\ncontent-length: 0\r\n\r\n"
        )
        writer.close()

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing; tells which address would be used
        outside = probe.getsockname()[0]
    assert not outside.startswith("127."), "this machine has no address besides loopback"
    async with await asyncio.start_server(answer, outside, 0) as server:
        address = f"{outside}:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(errors.Unreachable):
            await registry.digest(references.parse(f"{address}/x:1"), login(address))
    assert received.startswith(b"\x16\x03")  # the beginning of a TLS handshake


async def test_image_set_asks_for_the_digest_of_a_tag(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    init.init(tmp_path, repository="https://git.example.com/shop.git")
    new_service.new_service(tmp_path, "auth")
    (tmp_path / "docker").mkdir()
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (tmp_path / "docker" / "config.json").write_text(
        json.dumps({"auths": {server: {"auth": auth}}})
    )
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    built = image("set")
    await registry.push(built, references.parse(f"{server}/shop/set:2"), login(server))
    change = await set_image.set_image(tmp_path, "auth", "dev", f"{server}/shop/set:2")
    assert change.image == f"{server}/shop/set:2@{built.digest}"
    document = values.read(tmp_path / change.file, change.file)
    assert document.get("image.digest") == built.digest
    with pytest.raises(errors.Refused, match="not-there"):
        await set_image.set_image(tmp_path, "auth", "dev", f"{server}/shop/set:3")
