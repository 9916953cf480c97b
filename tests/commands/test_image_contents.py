"""Migrations read from the layers of images in a real registry, packed in every way and by hostile builders."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from backports import zstd
from tests.support.registries import PASSWORD, USER, login, running

from hanbae import errors
from hanbae.images import contents, layouts, references, registry, sources
from hanbae.rehearsing import deployed_files

FOLDER = "/app/migrations"
CREATE, ALTER = b"create table a();", b"alter table a add b int;"
DIGESTS = {
    "1_create.sql": f"sha256:{hashlib.sha256(CREATE).hexdigest()}",
    "2_alter.sql": f"sha256:{hashlib.sha256(ALTER).hexdigest()}",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("registry")) as address:
        yield address


def packed(layer: layouts.Layer, pack: Callable[[bytes], bytes], suffix: str) -> layouts.Layer:
    data = pack(layer.data)
    return layouts.Layer(data, layouts.digest_of(data), f"{layouts.LAYER_TYPE}{suffix}")


def layer(files: dict[str, bytes]) -> layouts.Layer:
    return layouts.layer(layouts.File(path, content) for path, content in files.items())


LAYERS = [
    layer({"/bin/app": bytes(3_000_000), f"{FOLDER}/1_create.sql": b"old", f"{FOLDER}/0_old.sql": b""}),
    layer({f"{FOLDER}/1_create.sql": CREATE, f"{FOLDER}/.wh.0_old.sql": b""}),
    layer({f"{FOLDER}/2_alter.sql": ALTER, f"{FOLDER}/data/x.csv": b"1"}),
]  # fmt: skip


async def put(server: str, name: str, layers: list[layouts.Layer]) -> references.Reference:
    reference = references.parse(f"{server}/shop/{name}:1")
    await registry.push(layouts.image(layers, {}), reference, login(server))
    return reference


@pytest.mark.parametrize("way", ["tar", "gzip", "gzip in two members", "zstd", "mixed"])
async def test_migrations_are_those_of_the_image_however_it_is_packed(
    server: str, way: str
) -> None:
    def twice(data: bytes) -> bytes:
        return gzip.compress(data[:1000]) + gzip.compress(data[1000:])

    packings: dict[str, tuple[Callable[[bytes], bytes], str]] = {
        "tar": (bytes, ""),
        "gzip": (gzip.compress, "+gzip"),
        "gzip in two members": (twice, "+gzip"),
        "zstd": (zstd.compress, "+zstd"),
    }
    ways = ["tar", "gzip", "zstd"] if way == "mixed" else [way] * 3
    layers = [packed(layer, *packings[w]) for layer, w in zip(LAYERS, ways, strict=True)]
    reference = await put(server, f"packed-{way.replace(' ', '-')}", layers)
    files = await contents.migrations_in(reference, FOLDER, login(server))
    assert files is not None
    assert files.image == await registry.digest(reference, login(server))
    assert files.digests == DIGESTS
    assert not files.texts, "nobody asked for them"
    whole = await contents.migrations_in(reference, FOLDER, login(server), whole=True)
    assert whole is not None
    assert whole.texts == {"1_create.sql": CREATE, "2_alter.sql": ALTER}


async def test_texts_are_those_of_migrations_and_no_more_than_an_image_may_have(
    server: str,
) -> None:
    big, ours = bytes(1024**2), f"{FOLDER}/1_create.sql"
    names = {f"{FOLDER}/{number}_x.sql": str(number).encode() + big[4:] for number in range(3, 16)}
    files = {ours: CREATE, f"{FOLDER}/README.sql": b"no", f"{FOLDER}/2_big.sql": big + b" "}
    reference = await put(server, "texts", [layer(files)])
    whole = await contents.migrations_in(reference, FOLDER, login(server), whole=True)
    assert whole is not None
    assert whole.texts == {"1_create.sql": CREATE}
    flooded = await put(server, "flooded", [layer({**names, ours: CREATE})])
    plain = await contents.migrations_in(flooded, FOLDER, login(server))
    assert plain is not None
    with pytest.raises(errors.Failed) as caught:
        await contents.migrations_in(flooded, FOLDER, login(server), whole=True)
    assert caught.value.text.facts["why"] == "migrations of more than 12 MiB"


def linked(name: str, target: str) -> layouts.Layer:
    """A layer with a migration that is a link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(f"{FOLDER[1:]}/{name}")
        info.type, info.linkname = tarfile.SYMTYPE, target
        tar.addfile(info)
    return layouts.Layer(out.getvalue(), layouts.digest_of(out.getvalue()))


def named(path: str) -> layouts.Layer:
    """A layer with a file of any name."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("x")
        info.pax_headers = {"path": path[1:]}
        tar.addfile(info)
    return layouts.Layer(out.getvalue(), layouts.digest_of(out.getvalue()))


@pytest.mark.parametrize(
    ("above", "why"),
    [
        pytest.param(layer({f"{FOLDER}/3_big.sql": bytes(1024**2 + 1)}), "unread", id="large"),
        pytest.param(linked("3_link.sql", "/app/blob"), "unread", id="a link to another name"),
        pytest.param(layer({f"{FOLDER}/notes.sql": b""}), "without-number", id="no migration"),
        pytest.param(layer({f"{FOLDER}/02_x.sql": b""}), "twice", id="a version twice"),
        pytest.param(named(f"{FOLDER}/3_a\0b.sql"), "unread", id="a name with NUL"),
        pytest.param(named(f"{FOLDER}/3_{'a' * 300}.sql"), "unread", id="a long name"),
        pytest.param(layer({f"{FOLDER}/3_code.go": b"", f"{FOLDER}/README": b""}), "", id="others"),
    ],
)
async def test_a_rehearsal_begins_with_all_migrations_of_an_image_or_with_none(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, above: layouts.Layer, why: str
) -> None:
    """With one left out it would begin with a database that no environment has, and not say so."""
    token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {server: {"auth": token}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    files = layer(
        {f"{FOLDER}/1_create.sql": CREATE, f"{FOLDER}/2_alter.sql": ALTER, "/app/blob": b"x"}
    )
    reference = await put(server, "whole", [files, above])
    reading = deployed_files._texts(sources.Sources(insecure=True), str(reference), FOLDER)
    if not why:
        assert await reading == {"1_create.sql": CREATE, "2_alter.sql": ALTER}
        return
    with pytest.raises(errors.Error) as caught:
        await reading
    assert why in caught.value.text.id


async def test_what_is_not_there_is_not_an_error(server: str) -> None:
    reference = await put(server, "small", LAYERS[1:2])
    files = await contents.migrations_in(reference, "/nowhere", login(server))
    assert files is not None
    assert files.digests is None
    missing = references.parse(f"{server}/shop/small:2")
    assert await contents.migrations_in(missing, FOLDER, login(server)) is None


def bomb() -> bytes:
    """A tar of 16 GiB of zeros, as gzip of about 16 MB."""
    info = tarfile.TarInfo("app/zeros")
    info.size = 16 * 1024**3
    return gzip.compress(info.tobuf()) + 256 * gzip.compress(bytes(64 * 1024**2))


def members(count: int) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1) as file:
        for number in range(count):
            file.write(tarfile.TarInfo(f"{number}").tobuf())
    return out.getvalue()


def header(**fields: object) -> bytes:
    info = tarfile.TarInfo("app/x")
    for name, value in fields.items():
        setattr(info, name, value)
    return info.tobuf()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(bomb, "bytes", id="gzip bomb"),
        pytest.param(lambda: members(2_001), "members", id="members without end"),
        pytest.param(lambda: b"\x1f\x8b" + b"no gzip" * 100, "error", id="broken gzip"),
        pytest.param(lambda: b"\x28\xb5\x2f\xfd" + b"x" * 99, "Zstd", id="broken zstd"),
        pytest.param(lambda: b"no archive" * 1000, "damaged", id="no archive"),
        pytest.param(lambda: header() + b"garbage!" * 512, "damaged", id="damaged header"),
        pytest.param(
            lambda: header(type=tarfile.XHDTYPE, size=3 * 1024**3) + bytes(100_000),
            "",
            id="endless pax header",
        ),
        pytest.param(lambda: header(size=100_000) + b"x", "ReadError", id="cut off"),
    ],
)
async def test_hostile_layers_are_one_error(
    server: str, data: Callable[[], bytes], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "MOST_BYTES", 256 * 1024**2)
    monkeypatch.setattr(contents, "MOST_MEMBERS", 2_000)
    content = data()
    hostile = layouts.Layer(content, layouts.digest_of(content), f"{layouts.LAYER_TYPE}+gzip")
    reference = await put(server, "hostile", [hostile, LAYERS[1]])
    with pytest.raises(errors.Failed) as caught:
        await contents.migrations_in(reference, FOLDER, login(server))
    assert caught.value.text.id == "image.unreadable-layers"
    assert why in caught.value.text.facts["why"]


async def test_reading_ends_in_time(server: str) -> None:
    content = bomb()
    slow = layouts.Layer(content, layouts.digest_of(content), f"{layouts.LAYER_TYPE}+gzip")
    reference = await put(server, "slow", [slow])
    with pytest.raises(errors.Unreachable, match="layers-too-slow"):
        await contents.migrations_in(reference, FOLDER, login(server), within=0.3)
