"""``hanbae promote`` with real clusters behind it: what it shows, and what it refuses before anything is pushed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jsonschema_rs
import pytest
from tests.commands.test_json_documents import schema
from tests.support import records, standing_shops

from hanbae.actions import new_service
from hanbae.charts import values
from hanbae.cli import main
from hanbae.cli.text import wrapping
from hanbae.history import stores
from hanbae.results import checklists, events

if TYPE_CHECKING:
    from tests.api.conftest import ControlPlane

GOLDEN: Final = Path(__file__).parents[1] / "golden" / "promote"
SERVICES: Final = ("basket", "coupon")
DEV_TO_STAGING: Final = ("--from", "dev", "--to", "staging", "--dry-run", "--context", "admin")
HOSTILE: Final = "Add a total \x1b[2J [x](https://evil.example) @ann <b>"
_MIGRATION: Final = (
    "-- +goose Up\nALTER TABLE basket ADD COLUMN total int;\n"
    "-- +goose Down\nALTER TABLE basket DROP COLUMN total;\n"
)

Run = Callable[..., tuple[int, str, str]]


class Shop(standing_shops.Shop):
    """Two services with charts; dev runs a commit with another image and one more migration than staging has."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, SERVICES)
        self._edit("dev", "image.tag", "1.1.0")
        text = (self.root / "services/basket/migrations/00002_step.sql").with_name(
            "00003_total.sql"
        )
        text.write_text(_MIGRATION)
        self.proven = self._push_to("develop", HOSTILE)

    def _write(self, service: str) -> None:
        new_service.new_service(self.root, service, image=f"registry.example.com/shop/{service}")
        folder = self.root / "services" / service / "migrations"
        for path in folder.glob("*.sql"):
            path.unlink()
        self._migration(service, 1)
        for environment in standing_shops.ENVIRONMENTS:
            self._edit(environment, "image.tag", "1.0.0", service)

    def _edit(self, environment: str, key: str, value: Any, service: str = "basket") -> None:
        name = {"production": "prod"}.get(environment, environment)
        path = self.root / f"services/{service}/helm/values-{name}.yaml"
        with values.editing(path, path.name) as document:
            document.update({tuple(key.split(".")): value})

    def _push_to(self, branch: str, message: str) -> str:
        standing_shops.git(self.root, "add", "--all")
        standing_shops.git(self.root, "commit", "--quiet", "--message", message)
        standing_shops.git(self.root, "push", "--quiet", "origin", f"HEAD:{branch}")
        return standing_shops.git(self.root, "rev-parse", "HEAD").strip()

    def in_dev(self, service: str, **status: Any) -> dict[str, Any]:
        """An Application that stands in dev at the proven commit."""
        manifest = self.application(service, "dev", **status)
        manifest["status"]["history"][-1]["revision"] = self.proven
        manifest["status"]["sync"]["revision"] = self.proven
        return manifest


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("promoted"))


@pytest.fixture(scope="module")
def kubectl(control_plane: ControlPlane, shop: Shop) -> Iterator[standing_shops.Kubectl]:
    """The services stand in dev as they were proven there."""
    programs = control_plane.programs
    kubectl = standing_shops.Kubectl(programs.path("kubectl"), control_plane.kubeconfig)
    kubectl.begin(shop, programs.argocd_manifests / "crds")
    kubectl.apply([shop.in_dev(service) for service in SERVICES])
    kubectl.apply([shop.lease(service, "dev", revision=shop.proven) for service in SERVICES])
    yield kubectl
    kubectl.run("delete", "applications", "-n", "argocd", "--all", "--wait=false")
    for environment in ("dev", "staging"):
        kubectl.run("delete", "leases", "-n", f"services-{environment}", "--all")


@pytest.fixture(autouse=True)
def user(
    control_plane: ControlPlane,
    kubectl: standing_shops.Kubectl,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An administrator with a history of their own, and no login at any forge."""
    del kubectl
    standing_shops.as_administrator(monkeypatch, control_plane.kubeconfig, tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"):
        monkeypatch.setenv(name, "Ann")
    for name in ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "ann@example.com")


@pytest.fixture
def run(shop: Shop, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str, lang: str = "en") -> tuple[int, str, str]:
        code = main.run(["--lang", lang, "-C", str(shop.root), "promote", *words])
        captured = capsys.readouterr()
        return code, captured.out, " ".join(captured.err.split())

    return run


@pytest.fixture
def frozen(shop: Shop) -> Iterator[None]:
    """The policy freezes staging for longer than anybody runs this."""
    path = shop.root / "hanbae.yaml"
    before = path.read_text()
    freeze = (
        "freezes:\n- {name: year-end, reason: 'Nobody is here', environments: [staging],"
        " first: 2026-01-01, last: 2099-12-31}\n"
    )
    path.write_text(f"{before}\n{freeze}")
    yield
    path.write_text(before)


def record_proof() -> None:
    """The proof of one service is in this history, with a waived item; that of the other is somebody else's."""
    decisions = (
        checklists.Decision("image", "", "image-pushed", "passed"),
        checklists.Decision("restore-point", "", "person", "waived", by="ben", why="no data yet"),
    )
    facts: list[events.Fact] = [
        records.opened("basket", "dev"),
        events.Decided(checklists.Checked("before", decisions)),
        records.closed(),
    ]
    with stores.open_store() as store:
        for event in records.stream(facts, deployment="20261123-110000-basket-dev"):
            store.append(event.deployment, event.step, event.fact, event.at)


def reviewed(shop: Shop, out: str) -> str:
    """What is shown, with names for what differs from run to run."""
    ids = {shop.proven: "<proven>", shop.head: "<head>", shop.deployed: "<begun>"}
    for commit, name in ids.items():
        out = out.replace(commit[:12], name)
    # Which rules find something is no business of this test.
    out = re.split(r"\n\S*(?:New findings|.*새로 발견)", out)[0] + "\n"
    return re.sub(r"\b[0-9a-f]{12}\b", "<set>", out)


@pytest.mark.parametrize(("lang", "output"), [("en", "text"), ("ko", "text"), ("ko", "markdown")])
def test_output_is_as_reviewed(shop: Shop, run: Run, lang: str, output: str) -> None:
    record_proof()
    code, out, err = run(*DEV_TO_STAGING, "--output", output, lang=lang)
    assert code == 0, err
    assert "\x1b" not in out
    assert reviewed(shop, out) == (GOLDEN / f"{output}.{lang}.txt").read_text()
    if output == "text":
        assert max(map(wrapping.cells, out.splitlines())) <= 80


def test_json_is_as_its_schema_says(
    run: Run, shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(*DEV_TO_STAGING, "--output", "json")
    assert code == 0, err
    document = json.loads(out)
    jsonschema_rs.validate(schema("promote", capsys), document)
    assert (document["outcome"], document["request"]) == ("planned", None)
    promotion = document["promotion"]
    assert promotion["proven"]["commit"] == shop.proven
    assert [entry["subject"] for entry in promotion["commits"]] == [HOSTILE]
    assert {image["service"]: image["changed"] for image in promotion["images"]} == {
        "basket": True,
        "coupon": False,
    }
    (migration,) = promotion["migrations"]
    assert migration["undone_by"] == ["ALTER TABLE basket DROP COLUMN total"]


@pytest.mark.usefixtures("frozen")
def test_a_freeze_refuses_unless_somebody_waives_it_with_a_reason(run: Run) -> None:
    for lang, waives in (("en", ()), ("ko", ("--waive-freeze", "  "))):  # blanks are no reason
        code, out, err = run(*DEV_TO_STAGING, *waives, lang=lang)
        assert (code, out) == (5, "")
        assert "Nobody is here" in err
        assert "--waive-freeze" in err
    waived = ("--waive-freeze", "The bug costs money", "--output", "json")
    code, out, err = run(*DEV_TO_STAGING, *waived)
    assert code == 0, err
    (decision,) = json.loads(out)["promotion"]["waived"]
    assert (decision["outcome"], decision["why"]) == ("waived", "The bug costs money")
    assert decision["by"]


def held(why: str = "Slow", revision: str = "") -> str:
    hold = {"why": why, "by": "ann", "identity": "cluster", "at": "2026-11-24T09:30:00Z"}
    return json.dumps([hold | ({"revision": revision} if revision else {})])


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_a_hold_of_the_target_refuses_and_no_waiver_of_a_freeze_helps(
    shop: Shop, run: Run, kubectl: standing_shops.Kubectl, lang: str
) -> None:
    kubectl.apply([shop.lease("basket", "staging", holds=held("Slow\x1b[2J"))])
    try:
        code, out, err = run(*DEV_TO_STAGING, "--waive-freeze", "x", lang=lang)
        assert (code, out) == (5, "")
        assert "Slow" in err
        assert "\x1b" not in err
        assert "hanbae hold lift basket --env staging" in err
    finally:
        kubectl.apply([shop.lease("basket", "staging", holds="")])


def test_a_hold_of_a_revision_refuses_what_is_in_it(
    shop: Shop, run: Run, kubectl: standing_shops.Kubectl
) -> None:
    """A commit that the service is the same in counts as well: what is merged has another id."""
    try:
        for revision, expected in ((shop.proven, 5), ("f" * 40, 0)):
            kubectl.apply([shop.lease("basket", "staging", holds=held(revision=revision))])
            assert run(*DEV_TO_STAGING)[0] == expected, revision
        # Of the other service, nothing has changed since: it is in the proven commit what it was in the head.
        kubectl.apply([shop.lease("basket", "staging", holds="")])
        kubectl.apply([shop.lease("coupon", "staging", holds=held(revision=shop.head))])
        code, _, err = run(*DEV_TO_STAGING)
        assert code == 5, err
        assert "coupon" in err
    finally:
        kubectl.apply([shop.lease(name, "staging", holds="") for name in SERVICES])


def test_a_hold_that_nobody_can_read_holds(
    shop: Shop, run: Run, kubectl: standing_shops.Kubectl
) -> None:
    try:
        kubectl.apply([shop.lease("basket", "staging", holds='{"why": 3}')])
        assert run(*DEV_TO_STAGING)[0] == 5
    finally:
        kubectl.apply([shop.lease("basket", "staging", holds="")])


@pytest.mark.parametrize(
    ("lease", "status", "text"),
    [
        ({"outcome": "failed"}, {}, "hanbae deploy basket --env dev"),
        ({"holds": held()}, {}, "Slow"),
        ({}, {"health": {"status": "Degraded", "message": "\x1b[2Jno memory"}}, "basket"),
        ({}, {"sync": {"status": "OutOfSync"}}, "basket"),
    ],
    ids=["not-proven", "held", "unhealthy", "drifted"],
)
def test_what_was_not_proven_together_is_refused(
    shop: Shop,
    run: Run,
    kubectl: standing_shops.Kubectl,
    lease: dict[str, str],
    status: dict[str, Any],
    text: str,
) -> None:
    marks = {"revision": shop.proven, "holds": "", **lease}
    manifest = shop.in_dev("basket")
    for name, value in status.items():
        manifest["status"][name] |= value
    kubectl.apply([manifest, shop.lease("basket", "dev", **marks)])
    try:
        code, out, err = run(*DEV_TO_STAGING)
        assert (code, out) == (5, ""), err
        assert text in err
        assert "\x1b" not in err
    finally:
        marks = {"revision": shop.proven, "holds": ""}
        kubectl.apply([shop.in_dev("basket"), shop.lease("basket", "dev", **marks)])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--from", "staging", "--to", "dev"), 2),
        (("--from", "dev", "--to", "dev"), 2),
        (("--from", "dev", "--to", "nowhere"), 2),
        (("nosuch", "--from", "dev", "--to", "staging"), 2),
        (("--from", "dev"), 2),
        (("--from", "dev", "--to", "staging", "--context", "nosuch"), 2),
    ],
)
def test_what_cannot_be_promoted_at_all_is_said_at_once(
    run: Run, words: tuple[str, ...], code: int
) -> None:
    got, out, err = run(*words)
    assert (got, out) == (code, ""), err
    assert err


def test_without_a_forge_the_branch_is_pushed_and_the_text_printed(shop: Shop, run: Run) -> None:
    words = [word for word in DEV_TO_STAGING if word != "--dry-run"]
    code, _, err = run("coupon", "basket", *words)
    assert code == 0, err
    branch = "hanbae/dev-to-staging.basket+coupon"
    assert branch in err
    heads = standing_shops.git(shop.root, "ls-remote", "--heads", "origin")
    assert f"refs/heads/{branch}" in heads
    again, _, err = run("coupon", "basket", *words)
    assert again == 0, err
    assert standing_shops.git(shop.root, "ls-remote", "--heads", "origin") == heads
