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
    one = [layouts.File("/a", b"1"), layouts.File("/b", b"2")]
    assert layouts.layer(one).digest == layouts.layer(reversed(one)).digest


def test_a_layer_has_the_digest_of_its_bytes_and_no_times() -> None:
    made = sample()
    assert made.digest == f"sha256:{hashlib.sha256(made.data).hexdigest()}"
    assert {info.mtime for info in entries(made).values()} == {0}


def test_modes_owners_links_and_parents_are_as_asked() -> None:
    found = entries(sample())
    assert found["app/run"].mode == 0o755
    assert found["app"].isdir()
    assert found["bin/sh"].issym()
    assert found["bin/sh"].linkname == "busybox"
    assert found["data"].isdir()
    assert found["data"].uid == 65532


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
    made = layouts.image([sample()], {"Entrypoint": ["/app/run"]})
    manifest, blobs = json.loads(made.manifest), dict(made.blobs())
    for descriptor in [manifest["config"], *manifest["layers"]]:
        assert layouts.digest_of(blobs.pop(descriptor["digest"])) == descriptor["digest"]
    assert not blobs
    config = json.loads(made.config)
    assert config["config"]["Entrypoint"] == ["/app/run"]
    assert config["rootfs"]["diff_ids"] == [made.layers[0].digest]


def test_a_different_configuration_gives_a_different_digest() -> None:
    layers = [sample()]
    one = layouts.image(layers, {"User": "65532"})
    assert one.digest != layouts.image(layers, {"User": "0"}).digest


def test_a_written_tar_is_an_oci_layout_that_names_the_image(tmp_path: Path) -> None:
    made = layouts.image([sample()], {})
    layouts.write_tar(made, "hanbae.local/sample:1", tmp_path / "image.tar")
    with tarfile.open(tmp_path / "image.tar") as tar:
        files = {info.name: tar.extractfile(info) for info in tar.getmembers()}
        contents = {name: file.read() for name, file in files.items() if file is not None}
    assert json.loads(contents["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    (entry,) = json.loads(contents["index.json"])["manifests"]
    assert entry["annotations"]["io.containerd.image.name"] == "hanbae.local/sample:1"
    manifest = contents[f"blobs/{entry['digest'].replace(':', '/')}"]
    assert manifest == made.manifest
    for digest, data in made.blobs():
        assert contents[f"blobs/{digest.replace(':', '/')}"] == data


def test_a_tar_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "image.tar").mkdir()
    (tmp_path / "image.tar" / "full").touch()
    with pytest.raises(OSError):  # noqa: PT011  the folder in its place, whatever the system calls it
        layouts.write_tar(layouts.image([sample()], {}), "x:1", tmp_path / "image.tar")
    assert [path.name for path in tmp_path.iterdir()] == ["image.tar"]
