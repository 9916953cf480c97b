"""Registries of the policy: it says where images are asked for, never where a password goes, nor that it goes plain."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import httpx2
import pytest

from hanbae import errors
from hanbae.images import references, registry, sources
from hanbae.policy import documents

DIGEST = f"sha256:{'a' * 64}"
IMAGE = references.parse("registry.example.com/shop/auth:1")
PASSWORD = "c4n4ry"


class World:
    """Every host that is asked, with what it was sent; nothing leaves this process."""

    def __init__(self) -> None:
        self.requests: list[httpx2.Request] = []
        self.has: set[str] = set()
        self.locked: set[str] = set()
        self.silent: set[str] = set()

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        host = request.url.netloc.decode()
        if host in self.silent:
            raise httpx2.ConnectError("no route", request=request)
        if host in self.locked and "authorization" not in request.headers:
            return httpx2.Response(401, headers={"www-authenticate": 'Basic realm="r"'})
        if host not in self.has:
            return httpx2.Response(404)
        return httpx2.Response(200, headers={"docker-content-digest": DIGEST})

    @property
    def hosts(self) -> list[str]:
        """Scheme and host of each exchange, repetitions left out."""
        hosts = (
            f"{request.url.scheme}://{request.url.netloc.decode()}" for request in self.requests
        )
        return list(dict.fromkeys(hosts))

    @property
    def trusted(self) -> set[str]:
        """Where credentials went."""
        return {
            f"{request.url.scheme}://{request.url.netloc.decode()}"
            for request in self.requests
            if "authorization" in request.headers
        }


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    world = World()
    genuine = httpx2.AsyncClient

    def client(**options: object) -> httpx2.AsyncClient:
        options.pop("trust_env", None)
        options["event_hooks"] = {}
        return genuine(transport=httpx2.MockTransport(world.answer), **options)  # type: ignore[arg-type]

    monkeypatch.setattr(registry.httpx2, "AsyncClient", client)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv(sources.VARIABLE, raising=False)
    return world


def log_in(folder: Path, *hosts: str) -> None:
    auth = base64.b64encode(f"shop:{PASSWORD}".encode()).decode()
    (folder / "config.json").write_text(
        json.dumps({"auths": {host: {"auth": auth} for host in hosts}})
    )


def policy(**registries: documents.Registry) -> documents.Policy:
    return documents.Policy(
        version=1,
        argocd=documents.ArgoCD("https://git.example.com/shop.git"),
        environments={},
        registries={
            name.replace("_", ".").replace("..", ":"): settings
            for name, settings in registries.items()
        },
    )


PLAIN = documents.Registry(plain_http=True)


async def test_plain_http_that_a_checkout_asks_for_carries_no_password(
    world: World, tmp_path: Path
) -> None:
    log_in(tmp_path, IMAGE.host)
    world.has = {IMAGE.host}
    origins = sources.of(policy(registry_example_com=PLAIN))
    assert await origins.digest(IMAGE) == DIGEST
    assert world.hosts == ["http://registry.example.com"]
    assert world.trusted == set()

    world.locked = {IMAGE.host}
    with pytest.raises(errors.Forbidden) as forbidden:
        await origins.digest(IMAGE)
    assert forbidden.value.text.id == "registry.plain-without-login"
    assert world.trusted == set()


async def test_a_password_that_there_is_none_of_is_not_blamed_on_plain_http(world: World) -> None:
    world.locked = {IMAGE.host}
    with pytest.raises(errors.Forbidden) as forbidden:
        await sources.of(policy(registry_example_com=PLAIN)).digest(IMAGE)
    assert forbidden.value.text.id == "registry.forbidden"


@pytest.mark.parametrize("way", ["flag", "variable"])
async def test_the_user_may_let_a_password_go_over_plain_http(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    log_in(tmp_path, IMAGE.host)
    world.has = world.locked = {IMAGE.host}
    if way == "variable":
        monkeypatch.setenv(sources.VARIABLE, "other.example.com, Registry.Example.com")
    for registries in (policy(), policy(registry_example_com=PLAIN)):
        world.requests.clear()
        origins = sources.of(registries, insecure=way == "flag")
        assert await origins.digest(IMAGE) == DIGEST
        assert world.trusted == {"http://registry.example.com"}


async def test_a_mirror_never_gets_the_password_of_the_registry(
    world: World, tmp_path: Path
) -> None:
    log_in(tmp_path, IMAGE.host)
    mirror = "mirror.example.net"
    world.locked = {mirror, IMAGE.host}
    world.has = {IMAGE.host}
    origins = sources.of(policy(registry_example_com=documents.Registry(mirrors=(mirror,))))
    assert await origins.digest(IMAGE) == DIGEST
    assert world.hosts == [f"https://{mirror}", f"https://{IMAGE.host}"]
    assert world.trusted == {f"https://{IMAGE.host}"}


async def test_a_mirror_gets_its_own_password_and_answers_first(
    world: World, tmp_path: Path
) -> None:
    mirror = "mirror.example.net:5000"
    log_in(tmp_path, IMAGE.host, mirror)
    world.has = world.locked = {mirror}
    settings = documents.Registry(mirrors=(f"{mirror}/hub",))
    assert await sources.of(policy(registry_example_com=settings)).digest(IMAGE) == DIGEST
    assert world.trusted == {f"https://{mirror}"}
    assert {request.url.path for request in world.requests} == {"/v2/hub/shop/auth/manifests/1"}


async def test_the_flag_is_about_the_registry_and_not_about_mirrors_of_the_checkouts(
    world: World, tmp_path: Path
) -> None:
    victim = "internal.example.org"
    log_in(tmp_path, IMAGE.host, victim)
    world.has = {IMAGE.host}
    world.locked = {victim}
    for registries in (
        policy(registry_example_com=documents.Registry(mirrors=(victim,))),
        policy(
            registry_example_com=documents.Registry(mirrors=(victim,)), internal_example_org=PLAIN
        ),
    ):
        world.requests.clear()
        assert await sources.of(registries, insecure=True).digest(IMAGE) == DIGEST
        assert f"http://{victim}" not in world.trusted


@pytest.mark.parametrize("reason", ["silent", "absent", "locked"])
async def test_a_mirror_that_does_not_help_is_passed_over(world: World, reason: str) -> None:
    mirrors = ("one.example.net", "two.example.net")
    world.silent = {mirrors[0]} if reason == "silent" else set()
    world.locked = {mirrors[0]} if reason == "locked" else set()
    world.has = {mirrors[1]}
    settings = documents.Registry(mirrors=mirrors)
    assert await sources.of(policy(registry_example_com=settings)).digest(IMAGE) == DIGEST
    assert world.hosts == [f"https://{mirror}" for mirror in mirrors]


async def test_what_no_host_has_is_not_there_and_the_registrys_own_error_is_raised(
    world: World,
) -> None:
    settings = documents.Registry(mirrors=("one.example.net",))
    origins = sources.of(policy(registry_example_com=settings))
    assert await origins.digest(IMAGE) is None
    world.silent = {"one.example.net", IMAGE.host}
    with pytest.raises(errors.Unreachable) as unreachable:
        await origins.digest(IMAGE)
    assert unreachable.value.text.facts["host"] == IMAGE.host
