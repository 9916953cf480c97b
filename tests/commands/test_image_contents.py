"""Migrations read from the layers of images in a real registry, packed in every way and by hostile builders."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator

import pytest
from backports import zstd
from tests.support.registries import login, running

from hanbae import errors
from hanbae.images import contents, layouts, references, registry

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
    names = {f"/usr/share/{number}_x.sql": str(number).encode() + big[4:] for number in range(70)}
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
    assert "more text of migrations" in caught.value.text.facts["why"]


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
