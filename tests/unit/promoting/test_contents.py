"""The files of a promotion's commit, from real branches of a real clone."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from hanbae.policy import documents, loading
from hanbae.promoting import contents, refusals
from hanbae.repository import commit_graph, drafts
from hanbae.sandbox import demo_repository

POLICY = b"""\
version: 1
argocd: {repository: "https://git.example.com/shop.git"}
environments:
  dev: {branch: develop, sync: auto, overlay: k8s/overlays/dev, namespace_suffix: -dev}
  staging: {branch: release, overlay: k8s/overlays/staging, namespace_suffix: -staging}
  production: {branch: main, overlay: k8s/overlays/production}
"""
CHART = "services/auth/helm"
TEMPLATE = f"{CHART}/templates/deployment.yaml"
DEV, STAGING = f"{CHART}/values-dev.yaml", f"{CHART}/values-staging.yaml"
FIRST = "services/auth/migrations/1_first.sql"
OTHER = "services/personal/helm/templates/deployment.yaml"


class Clone:
    """A clone whose branches develop and release begin at the same commit."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.git("init", "-q", "-b", "develop")
        self.git("config", "user.name", "Ann")
        self.git("config", "user.email", "ann@example.com")
        files = {
            TEMPLATE: "one\n",
            DEV: "image: a\n",
            STAGING: "image: a\n\n\n\nreplicas: 1\n",
            FIRST: "-- +goose Up\n",
            OTHER: "other\n",
            "k8s/overlays/staging/kustomization.yaml": "namespaces\n",
            "README.md": "shop\n",
        }
        self.start = self.commit("develop", "The shop", **files)
        self.git("branch", "release")

    def git(self, *words: str) -> str:
        return demo_repository.git(self.root, *words)

    def commit(self, branch: str, message: str, **files: str | bytes | None) -> str:
        """Write files, or delete them, on a branch."""
        if self.git("branch", "--show-current") != branch:
            self.git("checkout", "-q", branch)
        for name, text in files.items():
            path = self.root / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text.encode() if isinstance(text, str) else text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def head(self, branch: str) -> str:
        return self.git("rev-parse", branch)

    def promoted(
        self, *services: str, policy: documents.Policy | None = None
    ) -> tuple[dict[str, str], tuple[str, ...]]:
        """Path → text of the promotion of what is on develop to release, and its parents."""
        policy = policy or loading.parse(POLICY, "hanbae.yaml")[0]
        move = contents.Move(
            policy,
            "dev",
            "staging",
            self.head("develop"),
            self.head(policy.environments["staging"].branch or ""),
            services or ("auth", "personal"),
            whole=not services,
        )
        kept = drafts.Drafts(self.root)
        composed = contents.of(move, commit_graph.Graph(self.root), kept)
        commit = kept.commit(composed.files, "Promote", composed.parents)
        assert commit == kept.commit(composed.files, "Promote", composed.parents)
        paths = self.git("ls-tree", "-r", "--name-only", commit).split()
        texts = {path: self.git("show", f"{commit}:{path}") for path in paths}
        assert self.git("status", "--porcelain") == ""
        return texts, composed.parents


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "shop")


def reasons(clone: Clone, *services: str) -> list[str]:
    with pytest.raises(refusals.NotPromotable) as refused:
        clone.promoted(*services)
    return [text.id for text in refused.value.texts]


def test_what_was_proven_moves_and_the_targets_own_files_stay(clone: Clone) -> None:
    proven = clone.commit("develop", "Two", **{TEMPLATE: "two\n", DEV: "image: b\n", FIRST: None})
    clone.commit("develop", "More", **{OTHER: "more\n"})
    proven = clone.head("develop")
    head = clone.commit(
        "release",
        "Of staging",
        **{STAGING: "image: x\n\n\n\nreplicas: 1\n", "k8s/overlays/staging/quota.yaml": "quota\n"},
    )
    texts, parents = clone.promoted()
    assert parents == (head, proven)
    assert (texts[TEMPLATE], texts[OTHER], texts[DEV]) == ("two", "more", "image: b")
    assert FIRST not in texts
    assert texts[STAGING].startswith("image: x")
    assert texts["k8s/overlays/staging/quota.yaml"] == "quota"


def test_a_file_of_the_targets_own_takes_what_both_have_changed(clone: Clone) -> None:
    clone.commit("develop", "Scale", **{STAGING: "image: a\n\n\n\nreplicas: 3\n"})
    clone.commit("release", "Image", **{STAGING: "image: x\n\n\n\nreplicas: 1\n"})
    texts, _ = clone.promoted()
    assert texts[STAGING] == "image: x\n\n\n\nreplicas: 3"


def test_the_same_line_changed_on_both_is_named(clone: Clone) -> None:
    clone.commit("develop", "Scale", **{STAGING: "image: a\n\n\n\nreplicas: 3\n"})
    clone.commit("release", "Scale", **{STAGING: "image: a\n\n\n\nreplicas: 5\n"})
    assert reasons(clone) == ["promotion.conflict"]


def test_a_file_of_the_targets_own_that_was_emptied_stays_empty(clone: Clone) -> None:
    clone.commit("release", "Empty", **{STAGING: ""})
    clone.git("checkout", "-q", "develop")
    (clone.root / STAGING).chmod(0o755)  # changed there as well, but not in what it says
    clone.commit("develop", "Mode")
    texts, _ = clone.promoted()
    assert texts[STAGING] == ""


@pytest.mark.parametrize("content", [b"\x89PNG %d", b"a\0b %d"])
def test_a_file_that_is_no_text_and_was_changed_on_both_is_named(
    clone: Clone, content: bytes
) -> None:
    path = "k8s/overlays/staging/own.bin"
    start = clone.commit("develop", "Own", **{path: content % 1 + b"\n\n\n\nlast\n"})
    clone.git("checkout", "-q", "release")
    clone.git("merge", "-q", "--ff-only", start)
    clone.commit("develop", "Two", **{path: content % 2 + b"\n\n\n\nlast\n"})
    clone.commit("release", "Three", **{path: content % 1 + b"\n\n\n\nlater\n"})
    assert reasons(clone) == ["promotion.conflict"]


def test_a_fix_that_is_missing_below_is_named_with_its_commit(clone: Clone) -> None:
    clone.commit("develop", "Two", **{OTHER: "more\n"})
    fix = clone.commit("release", "Fix the login", **{TEMPLATE: "fixed\n"})
    with pytest.raises(refusals.NotPromotable) as refused:
        clone.promoted()
    (text,) = refused.value.texts
    assert text.id == "promotion.missing-below"
    assert text.facts["commit"] == fix[:12]
    assert text.facts["subject"] == "Fix the login"


def test_a_fix_that_was_brought_down_is_none(clone: Clone) -> None:
    clone.commit("release", "Fix the login", **{TEMPLATE: "fixed\n"})
    clone.commit("develop", "The same fix", **{TEMPLATE: "fixed\n"})
    clone.commit("develop", "And on", **{TEMPLATE: "fixed and more\n"})
    texts, _ = clone.promoted()
    assert texts[TEMPLATE] == "fixed and more"


def test_what_was_squashed_into_the_target_is_no_fix(clone: Clone) -> None:
    clone.commit("develop", "Two", **{TEMPLATE: "two\n"})
    clone.git("checkout", "-q", "release")
    clone.git("merge", "-q", "--squash", "develop")
    clone.git("commit", "-q", "-m", "Promote dev")
    clone.commit("develop", "Three", **{TEMPLATE: "three\n"})
    texts, _ = clone.promoted()
    assert texts[TEMPLATE] == "three"


def test_one_service_takes_its_own_folder_and_nothing_else(clone: Clone) -> None:
    clone.commit("develop", "Two", **{TEMPLATE: "two\n", OTHER: "more\n", "README.md": "new\n"})
    head = clone.commit("release", "Image", **{STAGING: "image: x\n\n\n\nreplicas: 1\n"})
    texts, parents = clone.promoted("auth")
    assert parents == (head,)
    assert (texts[TEMPLATE], texts[OTHER], texts["README.md"]) == ("two", "other", "shop")
    assert texts[STAGING].startswith("image: x")


def test_a_fix_to_another_service_does_not_hinder_one(clone: Clone) -> None:
    clone.commit("develop", "Two", **{TEMPLATE: "two\n"})
    clone.commit("release", "Fix", **{OTHER: "fixed\n"})
    assert reasons(clone) == ["promotion.missing-below"]
    texts, _ = clone.promoted("auth")
    assert (texts[TEMPLATE], texts[OTHER]) == ("two", "fixed")


def test_branches_without_a_common_commit_are_refused(clone: Clone) -> None:
    clone.git("checkout", "-q", "--orphan", "release-2")
    clone.git("branch", "-q", "-M", "release-2", "release")
    clone.commit("release", "Another shop", **{TEMPLATE: "another\n"})
    assert "promotion.missing-below" in reasons(clone)


def one_branch() -> documents.Policy:
    policy = loading.parse(POLICY, "hanbae.yaml")[0]
    environments = {
        name: msgspec.structs.replace(settings, branch="develop")
        for name, settings in policy.environments.items()
    }
    return msgspec.structs.replace(policy, environments=environments)


def test_one_branch_for_all_environments_keeps_its_files(clone: Clone) -> None:
    head = clone.commit("develop", "Values", **{STAGING: "image: x\n"})
    texts, parents = clone.promoted("auth", policy=one_branch())
    assert parents == (head,)
    assert texts[STAGING] == "image: x"


def test_one_branch_that_has_gone_on_since_the_proof_is_refused(clone: Clone) -> None:
    proven = clone.commit("develop", "Two", **{TEMPLATE: "two\n"})
    clone.commit("develop", "Dev", **{DEV: "image: c\n"})
    policy = one_branch()
    graph, kept = commit_graph.Graph(clone.root), drafts.Drafts(clone.root)

    def move() -> contents.Move:
        head = clone.head("develop")
        return contents.Move(policy, "dev", "staging", proven, head, ("auth",), whole=True)

    assert contents.of(move(), graph, kept).parents == (clone.head("develop"),)
    clone.commit("develop", "Three", **{TEMPLATE: "three\n"})
    with pytest.raises(refusals.NotPromotable) as refused:
        contents.of(move(), graph, kept)
    assert refused.value.text.id == "promotion.branch-ahead"
    assert refused.value.text.facts["file"] == TEMPLATE
