"""No path of a policy leads into git's own folder, whose hooks are programs that the next commit runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support import layouts, scenes


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("overlay: k8s/overlays/dev", "overlay: .git/hooks"),
        ("overlay: k8s/overlays/dev", "overlay: .GIT/hooks"),
        ("overlay: k8s/overlays/dev", "overlay: sub/.git/hooks"),
        ('path: "services/*/helm"', 'path: ".git/*/helm"'),
    ],
)
def test_a_policy_writes_nothing_into_gits_own_folder(
    tmp_path: Path, before: str, after: str
) -> None:
    layouts.begin(tmp_path, "one-cluster")
    (tmp_path / ".git/hooks").mkdir(parents=True)
    policy = tmp_path / "hanbae.yaml"
    text = policy.read_text()
    assert before in text
    policy.write_text(text.replace(before, after))
    for words in (("init",), ("new", "service", "auth")):
        ended = scenes.hanbae("--lang", "en", *words, directory=tmp_path)
        assert ended.code == 2, ended.out
        assert "hanbae.yaml:" in ended.err
    assert list((tmp_path / ".git").rglob("*.yaml")) == []
