"""What the pages show of hanbae is what it says: each block is typed anew, in the page's language, on 80 columns."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from tests.support import sealing, seen, shown_pages

from hanbae import masking
from hanbae.charts import values
from hanbae.sandbox import demo_repository
from hanbae.sealing import encrypting

SNAPSHOT: Final = seen.ROOT / "tests" / "data" / "snapshots" / "lab.json"
THREE_PODS: Final = """
rules:
  - id: three-replicas
    kinds: [apps/Deployment]
    expression: object.spec.replicas >= 3
    message: "Production runs three pods of everything."
    environments: [production]
"""


MAIL: Final = """\
{{- if eq .Release.Namespace "services-dev" }}
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata:
  name: SERVICE-mail
spec:
  encryptedData:
    MAIL_KEY: WRITTEN # of the mail server
{{- end }}
"""
"""A SealedSecret that a chart has among its templates."""


ELSEWHERE: Final = {"rehearsal": "tests/parity/test_rehearsal.py"}
"""Scene → the test that plays it."""


def name_images(shop: Path) -> None:
    """Name an image for each service and environment."""
    for path in shop.glob("services/*/helm/values-*.yaml"):
        with values.editing(path, path.name) as document:
            document.update({("image", "tag"): "1.0.0"})


def migrations(shop: Path) -> None:
    """A commit with one more migration on top of a shop that runs."""
    name_images(shop)
    shown_pages.commit(shop, "Run 1.0.0")
    (shop / "services/auth/migrations/00004_add_plan.sql").write_text(shown_pages.PLAN)
    shown_pages.commit(shop, "Give accounts a plan")


def boundary(shop: Path) -> None:
    """A commit with a migration that nothing takes back."""
    name_images(shop)
    shown_pages.commit(shop, "Run 1.0.0")
    text = "-- +goose Up\nALTER TABLE accounts DROP COLUMN created_at;\n"
    (shop / "services/auth/migrations/00004_forget.sql").write_text(text)
    shown_pages.commit(shop, "Forget when accounts were made")


def secrets(shop: Path) -> None:
    """A shop that runs, and the certificate of a controller of dev."""
    name_images(shop)
    (shop / "dev.pem").write_bytes(sealing.certificate(sealing.key()))


def template(shop: Path) -> None:
    """SealedSecrets in templates: one with its value, one whose value an expression makes; and a backup of keys."""
    former, newest = sealing.key("former"), sealing.key("newest")
    keys = [sealing.pem(former), sealing.pem(newest), sealing.certificate(newest)]
    (shop / "keys.pem").write_bytes(b"".join(keys))
    for service, written in {"auth": "VALUE", "personal": "{{ .Values.mailKey }}"}.items():
        label = f"services-dev/{service}-mail".encode()
        value = encrypting.encrypt(masking.Masked(b"mail"), former.public_key(), label)
        text = MAIL.replace("SERVICE", service).replace("WRITTEN", written)
        folder = shop / "services" / service / "helm"
        (folder / "templates/mail.yaml").write_text(text.replace("VALUE", value))
        if written != "VALUE":
            with (folder / "values-dev.yaml").open("a") as file:
                file.write(f"mailKey: {value}\n")
            (folder / "values.schema.json").unlink()


def typo(shop: Path) -> None:
    """A phase that Argo CD does not have."""
    job = shop / "services/auth/helm/templates/migration-job.yaml"
    text = job.read_text()
    assert "argocd.argoproj.io/hook: Sync" in text
    job.write_text(text.replace("argocd.argoproj.io/hook: Sync", "argocd.argoproj.io/hook: Snyc"))


def excused(shop: Path) -> None:
    """The same, and a comment that the base does not have."""
    shown_pages.git(shop, "update-ref", "refs/remotes/origin/main", "HEAD")
    typo(shop)
    job = shop / "services/auth/helm/templates/migration-job.yaml"
    comment = "  # hanbae: ignore ARG001,ARG012 until the chart of the next release"
    job.write_text(job.read_text().replace("hook: Snyc", f"hook: Snyc{comment}"))
    shown_pages.commit(shop, "Excuse it")


def rule(shop: Path) -> None:
    """A rule of the team's own."""
    policy = shop / "hanbae.yaml"
    policy.write_text(policy.read_text() + THREE_PODS)


def snapshot(shop: Path) -> None:
    """What somebody else's doctor has seen, of two workloads."""
    seen_there = json.loads(SNAPSHOT.read_text())
    for environment in seen_there["snapshots"]:
        environment["objects"] = [
            shown
            for shown in environment["objects"]
            if any(name in json.dumps(shown) for name in ("keyless", "pullless"))
        ]
    (shop / "lab.json").write_text(json.dumps(seen_there))


SCENES: Final[dict[str, Callable[[Path], None]]] = {
    "migrations": migrations,
    "boundary": boundary,
    "secrets": secrets,
    "template": template,
    "typo": typo,
    "excused": excused,
    "rule": rule,
    "snapshot": snapshot,
}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of the example shop, in which nothing runs yet, of a person with a home of their own."""
    root = tmp_path / "shop"
    shutil.copytree(demo_repository.example(), root)
    shown_pages.git(root, "init", "--quiet", "--initial-branch", "main")
    shown_pages.commit(root, "The shop")
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(root)
    return root


BLOCKS: Final = [block for block in shown_pages.blocks() if block.scene not in ELSEWHERE]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_what_a_page_shows_is_what_hanbae_says(shop: Path, block: shown_pages.Block) -> None:
    SCENES[block.scene](shop)
    block.compare()


def test_every_block_is_shown_in_both_languages() -> None:
    scenes: dict[str, list[tuple[str, str]]] = {"en": [], "ko": []}
    for block in shown_pages.blocks():
        scenes[block.language].append((block.page.name.replace(".ko.", "."), block.scene))
    assert scenes["en"] == scenes["ko"]
    assert {scene for _, scene in scenes["en"]} == {*SCENES, *ELSEWHERE}
    for scene, test in ELSEWHERE.items():
        assert f'"{scene}"' in (seen.ROOT / test).read_text()
