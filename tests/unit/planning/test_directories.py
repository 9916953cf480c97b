"""Folders of plain manifests, as Argo CD's directory source reads them."""

from __future__ import annotations

import pytest
from tests.support import trees

from hanbae import errors
from hanbae.planning import directories
from hanbae.policy import documents

OBJECT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"


def read(files: dict[str, str], **options: object) -> list[tuple[str, str]]:
    tree = trees.MemoryTree({f"m/{path}": text.encode() for path, text in files.items()})
    settings = documents.Directory(**options)  # type: ignore[arg-type]
    return [
        (manifest.template, manifest.object["metadata"]["name"])
        for manifest in directories.read(tree, "m", settings)
    ]


FILES = {
    "b.yaml": OBJECT % "b",
    "a.yml": f"{OBJECT % 'a1'}---\n{OBJECT % 'a2'}---\n",
    "c.json": '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}',
    "a/d.yaml": OBJECT % "d",
    "notes.txt": "x",
    "values.yaml": "image: {tag: 1}\n",
    "skipped.yaml": f"# +argocd:skip-file-rendering\n{OBJECT % 'no'}",
}


def test_files_of_the_folder_in_the_order_of_their_names() -> None:
    assert read(FILES) == [
        ("m/a.yml", "a1"),
        ("m/a.yml", "a2"),
        ("m/b.yaml", "b"),
        ("m/c.json", "c"),
    ]


def test_folders_below_come_where_their_names_do() -> None:
    assert [name for _, name in read(FILES, recurse=True)] == ["d", "a1", "a2", "b", "c"]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"include": "*.yaml"}, ["d", "b"]),
        ({"include": "{b,c}.*"}, ["b", "c"]),
        ({"exclude": "a*"}, ["b", "c"]),
        ({"exclude": "a/*", "include": "?.y*ml"}, ["a1", "a2", "b"]),
    ],
)
def test_globs_take_slashes_for_letters(options: dict[str, str], names: list[str]) -> None:
    assert [name for _, name in read(FILES, recurse=True, **options)] == names


def test_lists_are_taken_apart() -> None:
    text = f'{{"apiVersion": "v1", "kind": "List", "items": [{FILES["c.json"]}]}}'
    assert read({"x.json": text}) == [("m/x.json", "c")]


@pytest.mark.parametrize(
    ("files", "text_id", "place"),
    [
        ({"x.jsonnet": "{}"}, "manifests.jsonnet", "m/x.jsonnet"),
        ({"x.yaml": f"{OBJECT % 'a'}  - {{\n"}, "manifests.unreadable", "m/x.yaml:4"),
        ({"x.yaml": f"{OBJECT % 'a'}---\njust: text\n"}, "manifests.no-object", "m/x.yaml"),
        ({"x.json": "[]"}, "manifests.no-object", "m/x.json"),
        ({"x.yaml": "kind: A\nmetadata: [1]\napiVersion: v1\n"}, "manifests.no-object", "m/x.yaml"),
    ],
)
def test_what_argo_cd_fails_at_is_a_fault_in_the_file(
    files: dict[str, str], text_id: str, place: str
) -> None:
    with pytest.raises(errors.FileFault) as caught:
        read(files)
    assert caught.value.text.id == text_id
    assert str(caught.value.place).startswith(place)


def test_more_than_argo_cd_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directories, "_LARGEST", 10)
    with pytest.raises(errors.FileFault) as caught:
        read(FILES)
    assert caught.value.text.id == "render.beyond-bytes"


def test_json_goes_as_deep_as_yaml() -> None:
    """Python ends a walk at a thousand calls, and `hanbae render` makes three a level."""
    head = '"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}'
    texts = [f'{{{head}, "x": {"[" * times}{"]" * times}}}' for times in (249, 250)]
    assert read({"c.json": texts[0]}) == [("m/c.json", "c")]
    with pytest.raises(errors.FileFault, match=r"m/c\.json: manifests\.unreadable.*250 levels"):
        read({"c.json": texts[1]})
