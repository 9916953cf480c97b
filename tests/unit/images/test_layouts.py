from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from hanbae.images import layouts


def entries(layer: layouts.Layer) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(layer.data)) as tar:
        return {info.name: info for info in tar.getmembers()}


def sample() -> layouts.Layer:
    return layouts.layer(
        [
            layouts.File("/app/run", b"program", mode=0o755),
            layouts.File("/bin/sh", link="busybox"),
            layouts.File("/data", owner=65532),
        ]
    )


def test_the_same_files_always_give_the_same_digest_whatever_their_order() -> None:
    files = [layouts.File("/a", b"1"), layouts.File("/b", b"2")]
    assert layouts.layer(files).digest == layouts.layer(reversed(files)).digest


def test_a_layer_has_the_digest_of_its_bytes_and_no_times() -> None:
    layer = sample()
    assert layer.digest == f"sha256:{hashlib.sha256(layer.data).hexdigest()}"
    assert {info.mtime for info in entries(layer).values()} == {0}


def test_modes_owners_links_and_parents_are_as_asked() -> None:
    members = entries(sample())
    assert members["app/run"].mode == 0o755
    assert members["app"].isdir()
    assert members["bin/sh"].issym()
    assert members["bin/sh"].linkname == "busybox"
    assert members["data"].isdir()
    assert members["data"].uid == 65532


def test_a_folder_comes_before_what_is_in_it() -> None:
    names = list(entries(layouts.layer([layouts.File("/a/b/c", b"")])))
    assert names == ["a", "a/b", "a/b/c"]


def test_a_file_can_be_read_from_disk(tmp_path: Path) -> None:
    (tmp_path / "program").write_bytes(b"content")
    from_disk = layouts.layer([layouts.File("/p", tmp_path / "program")])
    assert from_disk.digest == layouts.layer([layouts.File("/p", b"content")]).digest


@pytest.mark.parametrize("path", ["relative", "/a/../../etc/passwd", "/", ""])
def test_a_path_that_is_not_inside_the_image_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not an absolute path"):
        layouts.layer([layouts.File(path, b"")])


def test_a_manifest_refers_to_exactly_the_blobs_that_the_image_has() -> None:
    image = layouts.image([sample()], {"Entrypoint": ["/app/run"]})
    manifest, blobs = json.loads(image.manifest), dict(image.blobs())
    for descriptor in [manifest["config"], *manifest["layers"]]:
        assert layouts.digest_of(blobs.pop(descriptor["digest"])) == descriptor["digest"]
    assert not blobs
    config = json.loads(image.config)
    assert config["config"]["Entrypoint"] == ["/app/run"]
    assert config["rootfs"]["diff_ids"] == [image.layers[0].digest]


def test_a_different_configuration_gives_a_different_digest() -> None:
    layers = [sample()]
    image = layouts.image(layers, {"User": "65532"})
    assert image.digest != layouts.image(layers, {"User": "0"}).digest


def test_a_written_tar_is_an_oci_layout_that_names_the_image(tmp_path: Path) -> None:
    image = layouts.image([sample()], {})
    layouts.write_tar(image, "hanbae.local/sample:1", tmp_path / "image.tar")
    with tarfile.open(tmp_path / "image.tar") as tar:
        files = {info.name: tar.extractfile(info) for info in tar.getmembers()}
        contents = {name: file.read() for name, file in files.items() if file is not None}
    assert json.loads(contents["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    (entry,) = json.loads(contents["index.json"])["manifests"]
    assert entry["annotations"]["io.containerd.image.name"] == "hanbae.local/sample:1"
    manifest = contents[f"blobs/{entry['digest'].replace(':', '/')}"]
    assert manifest == image.manifest
    for digest, data in image.blobs():
        assert contents[f"blobs/{digest.replace(':', '/')}"] == data


def test_a_tar_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "image.tar").mkdir()
    (tmp_path / "image.tar" / "full").touch()
    with pytest.raises(OSError):  # noqa: PT011  the folder in its place, whatever the system calls it
        layouts.write_tar(layouts.image([sample()], {}), "x:1", tmp_path / "image.tar")
    assert [path.name for path in tmp_path.iterdir()] == ["image.tar"]
