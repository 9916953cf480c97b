"""``check --policy-from`` shows where a branch leads: tokens by its policy, plaintext by its pins and certificates."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
import pytest
from tests.support import layouts, sealing, trees

from hanbae.actions import new_service
from hanbae.checking import projects
from hanbae.cli import main
from hanbae.policy import documents, loading
from hanbae.rules import casebook, rulebook, running, views
from hanbae.rules.environments import trust
from hanbae.sandbox import demo_repository
from hanbae.sealing import certificates

OWN, RENEWED, STRANGER = (
    sealing.certificate(sealing.key(name)) for name in ("former", "newest", "stranger")
)
PIN = {pem: certificates.parse(pem, "a test").fingerprint for pem in (OWN, RENEWED, STRANGER)}
VALUES = "services/auth/helm/values-prod.yaml"
Hits = list[tuple[str, str, str]]

LEADS_NOWHERE = frozenset(
    {
        "version",
        "language",  # of messages
        "profile",  # that of the policy that counts is used
        "services.migrations",  # a folder of the clone, whose content is checked
        "services.named.*.migrations",
        "services.named.*.databases.*",  # a name in the record; the URL is the Job's own
        "namespaces.*.purpose",
        "namespaces.*.expects.*",  # a Service that is looked for, and nothing is sent to it
        "environments.*.trigger",
        "environments.*.sync",  # who begins, not where to: ENV003 judges it
        "environments.*.overlay",  # a folder of the clone, whose content is checked
        "environments.*.database_changes",
        "environments.*.approvals",
        "environments.*.api_versions",
        "environments.*.kubernetes",
        "secrets.wave",
        "secrets.store",  # what a new chart refers to; the chart itself says it from then on
        "secrets.entry",
        "secrets.max_age.*",  # days, of which a report tells
        "migrations",
        "rollout",
        "checklists",  # but for the commands of its items, which have tests of their own
        "freezes",  # when, not where to
        "gateways",  # what is written into files of the clone
        "notify",  # names; where they are is a variable of whoever deploys
        "troubleshooting",
        "local",  # images of servers on a developer's machine, which runs the branch's own images as well
        "rules",  # those of the policy that counts are used
    }
)


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A clone whose production is pinned, and whose certificate is in it."""
    git(tmp_path, "init", "-q")
    layouts.begin(tmp_path, "clusters")
    for service in ("auth", "mail"):
        new_service.new_service(tmp_path, service)
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs/production.pem").write_bytes(OWN)
    pin(tmp_path, PIN[OWN])
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "begin")
    return tmp_path


def pin(root: Path, fingerprint: str, *, service: str = "auth", more: str = "") -> None:
    path = root / f"services/{service}/helm/values-prod.yaml"
    lines = path.read_text().splitlines(keepends=True)
    begin = next(number for number, line in enumerate(lines) if line.startswith("sealedSecret:"))
    lines = [line for line in lines if not line.startswith(("  certificate", "    JWT: sha"))]
    if fingerprint:
        lines.insert(begin + 1, f"  certificate: {fingerprint}\n{more}")
    path.write_text("".join(lines))


def edit(root: Path, before: str, after: str) -> None:
    path = root / "hanbae.yaml"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


def hits(root: Path, *, base: str = "HEAD") -> Hits:
    project, _ = projects.opened(root, None, base)
    return of(project)


def of(project: views.Project) -> Hits:
    results = running.over_project(project, [rulebook.rules()["ENV018"]])
    return [
        (
            result.hit.variant,
            result.hit.facts.get("key", str(result.hit.place)),
            str(result.hit.place),
        )
        for result in results
    ]


def test_a_branch_that_changes_nothing_of_the_kind_is_clean(shop: Path) -> None:
    assert hits(shop) == []
    edit(shop, "language: en", "language: ko")
    edit(
        shop,
        "controller: kube-system/sealed-secrets-controller",
        'controller: "kube-system/sealed-secrets-controller"',
    )
    path = shop / VALUES
    path.write_text("# a comment\n" + path.read_text())
    assert hits(shop) == []


LEADS: dict[str, tuple[str, str]] = {
    "secrets.controller": ("kube-system/sealed-secrets-controller", "team-x/handy-server"),
    "secrets.scope": ("scope: strict", "scope: cluster-wide"),
    "history.url": ("url: sqlite", "url: postgresql://stranger.example.com/history"),
    "argocd.repository": ("git.example.com/shop.git", "git.example.org/shop.git"),
    "argocd.remote": ("remote: origin", "remote: fork"),
    "argocd.server": ("  project: services", "  project: services\n  server: stranger.example.com"),
    "argocd.plaintext": ("  project: services", "  project: services\n  plaintext: true"),
    "argocd.kinds": ("  project: services", "  project: services\n  kinds: [DaemonSet]"),
    "environments.production.control": ("control: production", "control: stranger"),
    "environments.production.workload": (
        "control: production",
        "control: production\n    workload: stranger",
    ),
    "environments.production.branch": ("branch: main", "branch: topic"),
    "environments.production.values": ("values-prod.yaml", "values-other.yaml"),
    "environments.production.transport": (
        "control: production",
        "control: production\n    transport: argocd-api",
    ),
    "namespaces.services.pod_security": (
        "purpose: [auth, personal, identity]",
        "purpose: [auth]\n    pod_security: privileged",
    ),
    "registries.registry.example.com:5000.plain_http": (
        "history:",
        'registries: {"registry.example.com:5000": {plain_http: true}}\nhistory:',
    ),
    "registries.docker.io.mirrors": (
        "history:",
        "registries: {docker.io: {mirrors: [stranger.example.com]}}\nhistory:",
    ),
    "services.directory": (
        "  namespace: services\n  release",
        "  namespace: services\n  directory: {recurse: true}\n  release",
    ),
    "services.namespace": ("  namespace: services\n  release", "  namespace: other\n  release"),
}


@pytest.mark.parametrize("key", LEADS)
def test_a_policy_that_leads_elsewhere_is_found(shop: Path, key: str) -> None:
    edit(shop, *LEADS[key])
    (hit,) = hits(shop)
    assert hit[:2] == ("", key)
    line = int(hit[2].split(":")[1])
    assert key.rpartition(".")[2] in (shop / "hanbae.yaml").read_text().splitlines()[line - 1]
    git(shop, "commit", "-qam", "lead elsewhere")
    assert hits(shop) == []  # it is the policy that counts now


def test_an_environment_of_the_branchs_own_is_found_by_where_it_leads(shop: Path) -> None:
    edit(
        shop,
        "  production:\n",
        "  live:\n    branch: live\n    values: values-live.yaml\n    control: stranger\n  production:\n",
    )
    assert [key for _, key, _ in hits(shop)] == [
        "environments.live.branch",
        "environments.live.control",
        "environments.live.values",
    ]


def test_a_key_that_the_branch_takes_out_is_found(shop: Path) -> None:
    edit(shop, "    control: production\n", "")
    assert hits(shop) == [("", "environments.production.control", hits(shop)[0][2])]


def test_every_key_of_the_policy_is_said_to_lead_somewhere_or_not() -> None:
    def leaves(kind: Any, key: str) -> Iterator[str]:
        if key in LEADS_NOWHERE:
            yield key
        elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            for item in msgspec.structs.fields(kind):
                yield from leaves(item.type, f"{key}.{item.name}".lstrip("."))
        elif get_origin(kind) is dict:
            yield from leaves(get_args(kind)[1], f"{key}.*")
        else:
            yield key

    assert set(leaves(documents.Policy, "")) == trust.LEADING | LEADS_NOWHERE
    assert not trust.LEADING & LEADS_NOWHERE


def test_a_command_of_a_branch_is_found_and_one_of_the_base_is_not(shop: Path) -> None:
    entry = '    - {id: ours, text: Ours, command: [smoke, "--all"]}\n'
    edit(shop, "  before:\n", f"  before:\n{entry}")
    (hit,) = hits(shop)
    assert hit[1] == "checklists.before[0].command"
    git(shop, "commit", "-qam", "ours")
    assert hits(shop) == []
    edit(shop, "--all", "--none")
    assert len(hits(shop)) == 1


def changed_pin(root: Path) -> None:
    pin(root, PIN[STRANGER])


def removed_pin(root: Path) -> None:
    pin(root, "")


def unreadable(root: Path) -> None:
    path = root / VALUES
    path.write_text("a: [\n" + path.read_text())


def pin_of_a_service_that_had_none(root: Path) -> None:
    pin(root, PIN[STRANGER], service="mail")


def pin_of_a_value(root: Path) -> None:
    pin(root, PIN[OWN], more=f"  certificates:\n    JWT: {PIN[STRANGER]}\n")


def renewed_with_pins_for_what_stays(root: Path) -> None:
    pin(root, PIN[RENEWED], more=f"  certificates:\n    JWT: {PIN[OWN]}\n")


PINS: dict[Callable[[Path], None], str] = {
    changed_pin: VALUES,
    removed_pin: VALUES,
    unreadable: VALUES,
    pin_of_a_service_that_had_none: "services/mail/helm/values-prod.yaml",
    pin_of_a_value: VALUES,
    renewed_with_pins_for_what_stays: VALUES,
}


@pytest.mark.parametrize("attack", PINS, ids=lambda attack: attack.__name__)
def test_a_branch_that_pins_another_certificate_is_found(
    shop: Path, attack: Callable[[Path], None]
) -> None:
    attack(shop)
    ((variant, place, _),) = hits(shop)
    assert (variant, place.partition(":")[0]) == ("pin", PINS[attack])


def test_pins_that_the_base_knows_or_that_are_the_very_first_are_left_alone(shop: Path) -> None:
    pin(shop, PIN[OWN], service="mail")
    assert hits(shop) == []
    dev = shop / "services/auth/helm/values-dev.yaml"
    dev.write_text(
        dev.read_text().replace(
            "sealedSecret:\n", f"sealedSecret:\n  certificate: {PIN[STRANGER]}\n"
        )
    )
    assert hits(shop) == []


@pytest.mark.parametrize("content", [STRANGER, b"", None], ids=["stranger", "empty", "gone"])
def test_a_certificate_in_a_file_that_is_changed_is_found(
    shop: Path, content: bytes | None
) -> None:
    path = shop / "certs/production.pem"
    if content is None:
        path.unlink()
        assert hits(shop) == []  # nothing can be sealed with it
        return
    path.write_bytes(content)
    assert hits(shop) == [("file", "certs/production.pem", "certs/production.pem")]


def test_check_fails_and_the_branch_cannot_accept_it(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    controller = "controller: kube-system/sealed-secrets-controller"
    comment = "# hanbae: ignore ENV018 we have moved"
    edit(shop, controller, f"controller: team-x/handy-server  {comment}")
    pin(shop, PIN[STRANGER])
    git(shop, "commit", "-qam", "move")

    def check(*arguments: str) -> tuple[int, list[Any]]:
        capsys.readouterr()
        code = main.run(["-C", str(shop), "check", *arguments, "--output", "json"])
        return code, [
            finding
            for finding in json.loads(capsys.readouterr().out)["findings"]
            if finding["code"] == "ENV018"
        ]

    code, (policy, pinned) = check("--revision", "HEAD", "--policy-from", "HEAD~1", "--no-cache")
    assert code == 1
    assert policy["severity"] == pinned["severity"] == "error"
    assert policy["place"]["file"] == "hanbae.yaml"
    assert policy["text"]["facts"]["value"] == "team-x/handy-server"
    assert PIN[STRANGER] in pinned["text"]["facts"].values()
    assert check("--no-cache")[1] == []


def test_the_rules_example_is_found_and_its_counterpart_is_not() -> None:
    case = casebook.case("ENV018")
    base = trees.MemoryTree.of(demo_repository.example())

    def places(changes: tuple[casebook.Change, ...]) -> list[str]:
        tree = base.changed(changes)
        policy, _ = loading.parse(base.contents["hanbae.yaml"], "hanbae.yaml")
        proposed, lines = loading.parse(tree.contents["hanbae.yaml"], "hanbae.yaml")
        names = ("auth", "identity", "personal")
        proposal = views.Proposal(proposed, lines, base)
        project = views.Project(policy, {}, tree, names, proposal=proposal)
        return [":".join(place.split(":")[:2]) for _, _, place in of(project)]

    assert places(case.fails) == list(case.at)
    assert places(case.passes) == []
