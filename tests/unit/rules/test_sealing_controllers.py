"""Where a repository installs the Sealed Secrets controller: what is gone or too old, in whatever form, and mended."""

from __future__ import annotations

import pytest
from tests.support.releases import project

from hanbae.rules.secrets import controllers

TAG_FIRST = 'image:\n  tag: "v0.27.1" # old\n  repository: bitnami/sealed-secrets-controller\n'
OLD = "https://github.com/bitnami-labs/sealed-secrets/releases/download/v0.27.1"


@pytest.mark.parametrize(
    ("file", "text", "line", "mended"),
    [
        ("k8s/a.yaml", "image: docker.io/bitnami/sealed-secrets-controller:0.27.1\n", 1, "controller:0.40.0"),
        ("k8s/a.yaml", "image: ghcr.io/bitnami-labs/sealed-secrets-controller:v0.39.2\n", 1, "controller:v0.40.0"),
        ("k8s/a.yaml", "image: harbor.example.com/x/sealed-secrets-controller:0.18.0\n", 1, "controller:0.40.0"),
        ("Makefile", f"install:\n\tkubectl apply -f {OLD}/controller.yaml\n", 2, "/v0.40.0/controller.yaml"),
        ("up.sh", f"kubectl apply -f {OLD}/controller-norbac.yaml\n", 1, "/v0.40.0/controller-norbac.yaml"),
        ("values.yaml", "image:\n  repository: bitnami/sealed-secrets-controller\n  tag: 0.27.1\n", 3, "tag: 0.40.0"),
        ("values.yaml", TAG_FIRST, 2, 'tag: "v0.40.0" # old'),
    ],
)  # fmt: skip
def test_an_old_controller_is_an_error_that_is_mended(
    file: str, text: str, line: int, mended: str
) -> None:
    (hit,) = controllers.installed(project({file: text}))
    assert (hit.variant, str(hit.place)) == ("image", f"{file}:{line}")
    (edit,) = hit.edits
    assert edit.line == line
    own = text.split("\n")[line - 1]
    after = own.replace(edit.before, edit.after)
    assert mended in after
    assert list(controllers.installed(project({file: text.replace(own, after)}))) == []


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("up.sh", f"curl -LO {OLD}/kubeseal-0.27.1-linux-amd64.tar.gz\n"),
        ("a.yaml", "image: bitnami/sealed-secrets-controller:0.40.0\n"),
        ("a.yaml", "image: bitnami/sealed-secrets-controller:latest\n"),
        ("values.yaml", "image:\n  repository: bitnami/sealed-secrets-controller\n\n\nother:\n  tag: 0.27.1\n"),
        ("README.md", "image: bitnami/sealed-secrets-controller:0.27.1\n"),
    ],
)  # fmt: skip
def test_clients_later_versions_and_other_images_are_none(file: str, text: str) -> None:
    assert list(controllers.installed(project({file: text}))) == []


def test_what_is_pinned_by_its_digest_is_left_to_a_person() -> None:
    text = f"image: bitnami/sealed-secrets-controller:0.27.1@sha256:{'0' * 64}\n"
    (hit,) = controllers.installed(project({"a.yaml": text}))
    assert hit.edits == ()


def test_chart_repository_that_is_gone_is_replaced_by_the_one_it_moved_to() -> None:
    text = (
        "#!/bin/sh\nhelm repo add s https://bitnami-labs.github.io/sealed-secrets --force-update\n"
    )
    (hit,) = controllers.installed(project({"up.sh": text}))
    assert (hit.variant, str(hit.place)) == ("repository", "up.sh:2")
    (edit,) = hit.edits
    assert (edit.file, edit.line) == ("up.sh", 2)
    after = text.split("\n")[1].replace(edit.before, edit.after)
    assert after == "helm repo add s https://bitnami.github.io/sealed-secrets --force-update"
    assert list(controllers.installed(project({"up.sh": after}))) == []


def test_cluster_without_a_controller_is_not_one_that_may_not_be_looked_at() -> None:
    (hit,) = controllers.live(project({}), "dev", None)
    assert (hit.variant, hit.severity) == ("unseen", "notice")
    assert list(controllers.live(project({}), "dev", [])) == []
