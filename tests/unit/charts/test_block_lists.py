"""Lists at the top of a document: items are changed, and every other line stays; doubled ones are refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hanbae import errors, libyaml
from hanbae.charts import block_lists


@pytest.mark.parametrize("second", ["patches:\n  - c\n", "patches: []\n", "patches: {}\n"])
def test_a_list_that_is_there_twice_is_refused_at_the_second(second: str) -> None:
    text = f"patches:\n  - a\n  - b\n{second}"
    with pytest.raises(errors.FileFault) as caught:
        block_lists.read(text, "patches", "kustomization.yaml")
    assert str(caught.value.place) == "kustomization.yaml:4"


@pytest.mark.parametrize("new", [None, ["target: new"]], ids=["taken out", "replaced"])
def test_comments_around_an_item_that_is_changed_stay(new: list[str] | None) -> None:
    text = """patches:
  # above the first
  - target: old
    # within the first
    patch: a

  # our own, do not touch
  - path: own.yaml
  # above the last
  - target: last
# within the last, and not indented
    patch: b

  # below the list
# of what comes next
labels: []
"""
    written = "".join(f"  - {line}\n" for line in new or [])
    edited = block_lists.edited(text, "patches", "kustomization.yaml", replaced={0: new, 2: new})
    assert (
        edited
        == f"""patches:
  # above the first
{written}
  # our own, do not touch
  - path: own.yaml
  # above the last
{written}
  # below the list
# of what comes next
labels: []
"""
    )


def test_an_item_is_added_before_the_comments_below_the_list() -> None:
    text = "resources:\n- a\n- {path: b,\nname: c}\n# below\n"
    edited = block_lists.edited(text, "resources", "kustomization.yaml", added=[["d"]])
    assert edited == "resources:\n- a\n- {path: b,\nname: c}\n- d\n# below\n"


def test_a_text_whose_lists_are_read_one_after_the_other_is_parsed_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsed = []
    both = libyaml.both

    def counted(text: str) -> Iterator[tuple[Any, Any]]:
        parsed.append(text)
        return both(text)

    monkeypatch.setattr(libyaml, "both", counted)
    text = "resources:\n- a\n- b\nlabels:\n- c\n"
    lists = [block_lists.read(text, key, "a.yaml") for key in ("resources", "labels", "patches")]
    assert [[item.line for item in items] for items in lists] == [[2, 3], [5], []]
    assert parsed == [text]
    for file in ("a.yaml", "b.yaml"):
        with pytest.raises(errors.FileFault) as caught:
            block_lists.read("a: [", "a", file)
        assert caught.value.place is not None
        assert caught.value.place.file == file
