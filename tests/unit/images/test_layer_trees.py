"""The file system that layers make, whoever made them."""

from __future__ import annotations

import pytest

from hanbae.images import layer_trees
from hanbae.images.layer_trees import Entry, Fault, Tree

FOLDER = "/app/migrations"


def tree(*layers: list[Entry]) -> Tree:
    result = Tree()
    for layer in layers:
        result.begin_layer()
        for entry in layer:
            result.add(entry)
    return result


def file(path: str, digest: str = "1") -> Entry:
    return Entry(path, "file", digest)


BASE = [file("app/migrations/1.sql"), file("app/migrations/2.sql", "2")]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([BASE], {"1.sql": "1", "2.sql": "2"}),
        ([BASE, [file("/app/migrations/1.sql", "x")]], {"1.sql": "x", "2.sql": "2"}),
        ([BASE, [file("./app/./migrations/.wh.1.sql")]], {"2.sql": "2"}),
        ([BASE, [file("app/.wh.migrations")]], None),
        ([BASE, [file(".wh.app")], [file("app/migrations/3.sql")]], {"3.sql": "1"}),
        # An opaque folder hides what lower layers have, and not what its own layer has, in whatever order.
        (
            [BASE, [file("app/migrations/3.sql"), file("app/migrations/.wh..wh..opq")]],
            {"3.sql": "1"},
        ),
        (
            [BASE, [file("app/migrations/.wh..wh..opq"), file("app/migrations/3.sql")]],
            {"3.sql": "1"},
        ),
        (  # nor what it has deeper, whose folder lower layers have as well
            [BASE, [file("app/migrations/3.sql"), file("app/.wh..wh..opq")]],
            {"3.sql": "1"},
        ),
        (
            [BASE, [file("app/.wh..wh..opq"), file("app/migrations/3.sql")]],
            {"3.sql": "1"},
        ),
        ([BASE, [Entry("app/migrations", "folder"), file("app/.wh..wh..opq")]], {}),
        ([BASE, [file("app/other/x"), file("app/.wh..wh..opq")]], None),
        ([BASE, [file("app/migrations/.wh..wh..opq"), file("app/.wh..wh..opq")]], None),
        # The same holds for a name: what the layer has itself stays.
        (
            [BASE, [file("app/migrations/1.sql", "x"), file("app/migrations/.wh.1.sql")]],
            {"1.sql": "x", "2.sql": "2"},
        ),
        ([BASE, [file("app/migrations/3.sql"), file("app/.wh.migrations")]], {"3.sql": "1"}),
        ([BASE, [file("app/.wh.migrations"), file("app/migrations/3.sql")]], {"3.sql": "1"}),
        ([BASE, [file("app/migrations/3.sql")], [file("app/.wh.migrations")]], None),
        ([BASE, [file("app/migrations/1.sql/.wh.x")]], {"1.sql": "1", "2.sql": "2"}),
        ([BASE, [Entry("app/migrations", "folder")]], {"1.sql": "1", "2.sql": "2"}),
        ([BASE, [file("app/migrations")]], None),
        ([BASE, [file("app")], [file("app/migrations/3.sql")]], {"3.sql": "1"}),
        ([BASE, [Entry("app/migrations/1.sql", "other")]], {"2.sql": "2"}),
        ([BASE, [Entry("app/migrations/more", "folder")]], {"1.sql": "1", "2.sql": "2"}),
        ([BASE, [file("../../app/migrations/3.sql")]], {"1.sql": "1", "2.sql": "2", "3.sql": "1"}),
        ([[]], None),
    ],
)
def test_layers_are_applied_over_each_other(
    layers: list[list[Entry]], expected: dict[str, str] | None
) -> None:
    assert tree(*layers).files(FOLDER) == expected


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ([Entry("app", "link", "srv/app")], {"1.sql": "1"}),
        ([Entry("app", "link", "/srv/app")], {"1.sql": "1"}),
        ([Entry("app/migrations", "link", "../srv/app/migrations")], {"1.sql": "1"}),
        ([Entry("app/migrations", "link", "../../../../srv/app/migrations")], {"1.sql": "1"}),
        ([Entry("app/migrations/9.sql", "link", "/srv/app/migrations/1.sql")], {"9.sql": "1"}),
        ([Entry("app/migrations/9.sql", "same", "srv/app/migrations/1.sql")], {"9.sql": "1"}),
        # A member below a link goes where the link leads, as the runtime unpacks it.
        ([Entry("app", "link", "srv/app"), file("app/migrations/2.sql")], {"1.sql": "1", "2.sql": "1"}),
        ([Entry("app/migrations/9.sql", "link", "nowhere")], {}),
        ([Entry("app/migrations/9.sql", "same", "nowhere")], {}),
        ([Entry("app", "link", "app")], None),
        ([Entry("app", "link", "b"), Entry("b", "link", "app")], None),
    ],
)  # fmt: skip
def test_links_are_followed_in_the_image(
    links: list[Entry], expected: dict[str, str] | None
) -> None:
    assert tree([file("srv/app/migrations/1.sql")], links).files(FOLDER) == expected


def test_a_member_below_an_endless_link_does_not_hang() -> None:
    assert tree([Entry("a", "link", "a"), file("a/b")]).files("a") == {"b": "1"}


def test_a_name_that_is_not_utf8_is_shown_as_its_bytes() -> None:
    name = b"1\xff.sql".decode("utf-8", "surrogateescape")
    assert tree([file(f"app/migrations/{name}")]).files(FOLDER) == {"1\\xff.sql": "1"}


def test_a_tree_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_trees, "MOST_NODES", 50)
    with pytest.raises(Fault, match="more than 50"):
        tree([file("/".join("a" * 60))])
    with pytest.raises(Fault, match="more than 50"):
        tree([file(str(n)) for n in range(60)])
    with pytest.raises(Fault, match="4096"):
        tree([file("a" * 5000)])
    monkeypatch.setattr(layer_trees, "MOST_FILES", 5)
    with pytest.raises(Fault, match="more than 5 files"):
        tree([file(f"a/{n}") for n in range(6)]).files("a")
