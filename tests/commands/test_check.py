"""``hanbae check`` as a whole: what it says in each format, what it exits with, and on what it can be used."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema_rs
import pytest
import xmlschema

from hanbae.cli import main
from hanbae.rules import rulebook
from hanbae.sandbox import demo_repository

HERE = Path(__file__).parent
PREPARED = HERE.parent / "unit" / "rules" / "prepared"
GOLDEN = HERE.parent / "golden" / "check"
SCHEMAS = HERE.parent / "data" / "schemas"
JOB = "services/auth/helm/templates/migration-job.yaml"
CHART = "services/auth/helm/Chart.yaml"
HPA = "services/auth/helm/templates/hpa.yaml"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shop with images and sealed values, as a clone without a commit."""
    root = tmp_path / "shop"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(demo_repository.example(), root, ignore=ignored)
    shutil.copytree(PREPARED, root, dirs_exist_ok=True)
    (root / ".gitignore").write_text("services/*/helm/values.yaml\n")
    git(root, "init", "-q")
    monkeypatch.chdir(root)
    monkeypatch.setenv("COLUMNS", "80")
    return root


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str, lang: str = "en") -> tuple[int, str, str]:
        code = main.run(["--lang", lang, "check", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def replace(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, after))


def git(folder: Path, *arguments: str) -> None:
    identity = (
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.com",
        "-c",
        "init.defaultBranch=main",
    )
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def clone(shop: Path) -> Path:
    """The same with everything committed."""
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "first")
    return shop


def hurt(shop: Path) -> None:
    """One error in one environment, one warning, and one of each accepted."""
    values = shop / "services/auth/helm/values-dev.yaml"
    values.write_text(values.read_text() + "ingress:\n  enabled: false\n")
    (shop / HPA).unlink()
    broken = shop / "services/identity/helm/values-prod.yaml"
    broken.write_text(broken.read_text() + "service: ]\n")
    (shop / "services/personal/helm/templates/hpa.yaml").unlink()
    chart = shop / "services/personal/helm/Chart.yaml"
    chart.write_text("# hanbae: ignore LAY001 runs on one replica\n" + chart.read_text())


def golden(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("HANBAE_UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("kind", ["text", "markdown", "github", "junit"])
def test_output_is_as_it_was_agreed_on(shop: Path, run: Run, kind: str, lang: str) -> None:
    hurt(shop)
    code, out, err = run("--output", kind, "--show-accepted", lang=lang)
    golden(f"{kind}.{lang}.txt", re.sub(rf"\b{len(rulebook.rules())}(?=개|\\|\.)", "N", out + err))
    assert code == 1


def test_json_has_ids_facts_and_words(shop: Path, run: Run) -> None:
    hurt(shop)
    code, out, _ = run("--output", "json")
    document = json.loads(out)
    assert code == 1
    assert document["failed"] is True
    assert document["summary"]["ignored"] == 1
    assert [acceptance["finding"]["code"] for acceptance in document["accepted"]] == ["LAY001"]
    broken = next(finding for finding in document["findings"] if finding["code"] == "INP001")
    assert broken["text"]["id"] == "render.failed"
    assert broken["environments"] == ["production"]
    assert broken["message"].startswith("The chart does not render")
    assert len({finding["fingerprint"] for finding in document["findings"]}) == len(
        document["findings"]
    )


def test_sarif_is_valid_and_tells_what_was_accepted(shop: Path, run: Run) -> None:
    hurt(shop)
    _, out, _ = run("--output", "sarif")
    log = json.loads(out)
    # One of the schema's patterns has a bracket that closes nothing, which stricter engines refuse.
    text = (SCHEMAS / "sarif-2.1.0.json").read_text().replace("{2}]?$", "{2}$")
    schema = json.loads(text)
    jsonschema_rs.validator_for(schema).validate(log)
    results = log["runs"][0]["results"]
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in results)
    (accepted,) = (result for result in results if "suppressions" in result)
    assert accepted["suppressions"][0]["kind"] == "inSource"
    assert accepted["suppressions"][0]["justification"] == "runs on one replica"
    files = {
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in results
    }
    assert CHART in files


def test_sarif_fingerprints_do_not_move_with_lines(shop: Path, run: Run) -> None:
    def marks() -> list[tuple[str, str]]:
        results = json.loads(run("--output", "sarif")[1])["runs"][0]["results"]
        return [
            (result["ruleId"], result["partialFingerprints"]["hanbae/v1"]) for result in results
        ]

    hurt(shop)
    before = marks()
    values = shop / "services/auth/helm/values-dev.yaml"
    values.write_text("# one\n# two\n" + values.read_text())
    assert marks() == before


def test_junit_is_valid_and_counts(shop: Path, run: Run) -> None:
    hurt(shop)
    _, out, _ = run("--output", "junit", "--fail-on", "warning")
    xmlschema.XMLSchema(SCHEMAS / "junit-10.xsd").validate(out)
    root = ET.fromstring(out)  # noqa: S314  our own
    assert int(root.get("failures", "")) == len(root.findall(".//failure")) >= 3
    assert int(root.get("tests", "")) == len(root.findall(".//testcase"))
    assert len(root.findall(".//skipped")) == 1


def test_clean_repository_is_valid_in_each_format(shop: Path, run: Run) -> None:
    code, out, err = run("--output", "text")
    assert (code, out) == (0, "")
    assert "Nothing to mend" in err
    _, out, _ = run("--output", "junit")
    xmlschema.XMLSchema(SCHEMAS / "junit-10.xsd").validate(out)
    assert json.loads(run("--output", "sarif")[1])["runs"][0]["results"] == []
    assert json.loads(run("--output", "json")[1])["findings"] == []
    assert run("--output", "github")[1] == ""


def test_several_outputs_at_once(shop: Path, run: Run, tmp_path: Path) -> None:
    hurt(shop)
    target = tmp_path / "found.sarif"
    code, out, _ = run("-o", "text", "-o", f"sarif={target}", "-o", f"junit={tmp_path / 'j.xml'}")
    assert code == 1
    assert "INP006" in out
    assert json.loads(target.read_text())["version"] == "2.1.0"
    assert ET.parse(tmp_path / "j.xml").getroot().tag == "testsuites"  # noqa: S314
    assert sorted(path.name for path in tmp_path.iterdir()) == ["found.sarif", "j.xml", "shop"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "text", "-o", "sarif"), "standard output"),
        (("-o", "yaml"), "no output format yaml"),
        (("--diff",), "--fix"),
        (("--fix", "--revision", "HEAD"), "--revision"),
        (("--write-baseline", "auth"), "--write-baseline"),
        (("--explain", "INP0006"), "INP006"),
        (("--env", "local"), "local runs on compose"),
        (("--env", "nowhere"), "dev, staging, production"),
        (("nobody",), "auth, identity, personal"),
        (("--revision", "nowhere"), "no revision nowhere"),
    ],
)
def test_wrong_use_is_told_and_exits_2(
    shop: Path, run: Run, arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())


@pytest.mark.parametrize(
    ("fail_on", "code"), [("error", 0), ("warning", 1), ("notice", 1), ("never", 0)]
)
def test_least_severity_that_fails(shop: Path, run: Run, fail_on: str, code: int) -> None:
    (shop / HPA).unlink()
    ended, out, _ = run("auth", "--fail-on", fail_on)
    assert ended == code
    assert "LAY001" in out


def test_env_limits_what_is_found(shop: Path, run: Run) -> None:
    hurt(shop)
    assert "identity" not in run("--env", "dev")[1]
    code, out, err = run("identity", "--env", "production")
    assert code == 1
    assert "values-prod.yaml" in out
    assert "in production;" in err


def test_explain_shows_reason_and_both_examples(shop: Path, run: Run) -> None:
    code, out, _ = run("--explain", "inp006")
    assert code == 0
    assert out.startswith("INP006  error  A key is there twice\n")
    assert "Fails:" in out
    assert "+ingress:" in out
    assert "+# ingress:" in out
    explanation = json.loads(run("--explain", "INP006", "-o", "json")[1])
    assert explanation["family"] == "inputs"
    assert set(explanation["examples"]) == {"fails", "passes"}


def test_each_rule_can_be_explained_and_is_listed(shop: Path, run: Run) -> None:
    listed = run("--rules")[1]
    for code in rulebook.rules():
        assert f"\n{code}  " in f"\n{listed}"
        ended, out, _ = run("--explain", code)
        assert ended == 0
        assert out.startswith(code)
    assert len(json.loads(run("--rules", "-o", "json")[1])["rules"]) == len(rulebook.rules())


def test_baseline_accepts_what_was_there_and_nothing_more(shop: Path, run: Run) -> None:
    (shop / HPA).unlink()
    code, out, err = run("--write-baseline")
    assert (code, out) == (0, "")
    assert "1" in err
    baseline = shop / "hanbae-baseline.json"
    text = baseline.read_text()
    assert run("--fail-on", "notice")[:2] == (0, "")
    assert "LAY001" in run("--show-accepted")[1]
    (shop / "services/identity/helm/templates/hpa.yaml").unlink()
    code, out, _ = run("--fail-on", "notice")
    assert code == 1
    assert "services/auth" not in out
    (shop / HPA).write_text("{{- /* by hand */}}\n")
    code, out, _ = run("auth", "--fail-on", "notice")
    assert "INP005" in out
    assert "hanbae-baseline.json" in out
    run("--write-baseline")
    assert baseline.read_text() != text
    assert "services/auth" not in baseline.read_text()
    assert run("--fail-on", "notice")[0] == 0


def test_baseline_does_not_reach_into_another_environment(shop: Path, run: Run) -> None:
    dev, prod = (shop / f"services/auth/helm/values-{name}.yaml" for name in ("dev", "prod"))
    dev.write_text(dev.read_text() + "service: ]\n")
    run("--write-baseline")
    assert run()[0] == 0
    prod.write_text(prod.read_text() + "service: ]\n")
    code, out, _ = run()
    assert code == 1
    assert "values-prod.yaml" in out
    assert "values-dev.yaml" not in out


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 2, "findings": []}', "[" * 100_000])
def test_broken_baseline_is_a_fault_of_its_own(shop: Path, run: Run, text: str) -> None:
    (shop / "hanbae-baseline.json").write_text(text)
    code, _, err = run()
    assert code == 2
    assert "hanbae-baseline.json" in err


def test_branch_cannot_exempt_itself(clone: Path, run: Run) -> None:
    (clone / HPA).unlink()
    chart = clone / CHART
    chart.write_text("# hanbae: ignore LAY001 because I say so\n" + chart.read_text())
    assert "LAY001" not in run()[1]
    code, out, _ = run("--policy-from", "HEAD", "--fail-on", "warning")
    assert code == 1
    assert "LAY001" in out
    assert "INP004" in out
    chart.write_text(chart.read_text().split("\n", 1)[1])
    run("--write-baseline")
    assert "LAY001" not in run()[1]
    assert "LAY001" in run("--policy-from", "HEAD")[1]
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "accept")
    assert "LAY001" not in run("--policy-from", "HEAD")[1]


def services(out: str) -> list[str]:
    names: list[str] = json.loads(out)["services"]
    return names


def test_only_touched_services_are_checked(clone: Path, run: Run) -> None:
    def touched(*more: str) -> list[str]:
        return services(run("--changed-since", "HEAD", "-o", "json", *more)[1])

    assert touched() == []
    (clone / "services/auth/migrations/20990101000000_x.sql").write_text(
        "-- +goose Up\nSELECT 1;\n"
    )
    (clone / "README.md").write_text("other\n")
    assert touched() == ["auth"]
    assert touched("identity") == []
    replace(clone / "hanbae.yaml", "language: en", "language: ko")
    assert touched() == ["auth", "identity", "personal"]


def test_shared_charts_and_links_touch_their_users(clone: Path, run: Run) -> None:
    library = clone / "libraries/base"
    library.mkdir(parents=True)
    (library / "Chart.yaml").write_text(
        "apiVersion: v2\nname: base\nversion: 1.0.0\ntype: library\n"
    )
    (clone / "shared.sql").write_text("-- +goose Up\nSELECT 1;\n")
    chart = clone / CHART
    dependency = (
        "dependencies: [{name: base, version: 1.0.0, repository: 'file://../../../libraries/base'}]"
    )
    chart.write_text(f"{chart.read_text()}{dependency}\n")
    (clone / "services/personal/shared.sql").symlink_to("../../shared.sql")
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "share")
    (library / "README").write_text("x")
    assert services(run("--changed-since", "HEAD", "-o", "json")[1]) == ["auth"]
    (clone / "shared.sql").write_text("-- +goose Up\nSELECT 2;\n")
    assert services(run("--changed-since", "HEAD", "-o", "json")[1]) == ["auth", "personal"]


def test_commit_is_checked_instead_of_the_working_tree(clone: Path, run: Run) -> None:
    (clone / HPA).unlink()
    assert "LAY001" in run()[1]
    assert "LAY001" not in run("--revision", "HEAD")[1]


def test_paths_are_those_of_the_clone_where_the_policy_is_deeper(
    shop: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(shop / ".git")
    git(shop.parent, "init", "-q")
    git(shop.parent, "add", "-A")
    git(shop.parent, "commit", "-qm", "first")
    (shop / HPA).unlink()
    assert f"::warning file=shop/{CHART}," in run("-o", "github")[1]
    assert "LAY001" not in run("--revision", "HEAD")[1]
    assert services(run("--changed-since", "HEAD", "-o", "json")[1]) == ["auth"]


def test_colours_only_where_they_are_asked_for(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / HPA).unlink()
    main.run(["--color", "always", "check"])
    assert "\x1b[33m" in capsys.readouterr().out
    main.run(["check"])
    assert "\x1b" not in capsys.readouterr().out


def test_shell_completes_services_and_codes(shop: Path) -> None:
    def completed(words: str, index: int) -> str:
        environment = os.environ | {
            "_HANBAE_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(index),
        }
        ended = subprocess.run(
            [sys.executable, "-m", "hanbae"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return ended.stdout

    assert "identity" in completed("hanbae check i", 2)
    assert "ARG001" in completed("hanbae check --explain ARG00", 3)


def _plain_chart(root: Path) -> None:
    """A chart as `helm create` might lay it out, with values elsewhere and a vendored dependency in a folder."""
    folder = root / "deploy/web/chart"
    (folder / "templates").mkdir(parents=True)
    (folder / "charts/lib/templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 0.1.0\n")
    (folder / "charts/lib/Chart.yaml").write_text("apiVersion: v2\nname: lib\nversion: 0.1.0\n")
    (folder / "charts/lib/templates/map.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: lib}\ndata: {a: '1'}\n"
    )
    (folder / "templates/map.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n  annotations:\n"
        "    argocd.argoproj.io/hook: Presync\ndata: {a: '1'}\n"
    )
    (folder / "values-dev.yaml").write_text("a: 1\n")


def test_repository_that_hanbae_did_not_scaffold(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    _plain_chart(tmp_path)
    (tmp_path / "hanbae.yaml").write_text(
        "version: 1\nargocd: {repository: 'https://git.example.com/x.git'}\n"
        "services: {path: 'deploy/*/chart'}\n"
        "environments:\n  dev: {platform: kubernetes, branch: main, sync: manual, values: values-dev.yaml}\n"
    )
    monkeypatch.chdir(tmp_path)
    _, out, err = run("-o", "json")
    document = json.loads(out)
    assert document["services"] == ["web"], err
    hook = next(finding for finding in document["findings"] if finding["code"] == "ARG001")
    assert hook["place"] == {"file": "deploy/web/chart/templates/map.yaml", "line": 6, "column": 0}


def test_folder_that_is_no_clone_is_checked_as_it_is(shop: Path, run: Run) -> None:
    shutil.rmtree(shop / ".git")
    (shop / HPA).unlink()
    code, out, _ = run()
    assert code == 0
    assert "LAY001" in out
    code, _, err = run("--changed-since", "HEAD")
    assert code == 2
    assert "not in a git repository" in " ".join(err.split())


def test_fix_mends_what_a_rule_is_sure_of_once(shop: Path, run: Run) -> None:
    (shop / ".gitignore").write_text("*.log")
    code, _, err = run("--fix", "--diff", "--fail-on", "warning")
    assert code == 1
    assert "+services/*/helm/values.yaml" in err
    assert (shop / ".gitignore").read_text() == "*.log"
    code, out, _ = run("--fix", "--fail-on", "warning")
    assert (code, out) == (0, "")
    assert (shop / ".gitignore").read_text() == "*.log\nservices/*/helm/values.yaml\n"
    assert run("--fix", "--fail-on", "warning")[0] == 0
    assert (shop / ".gitignore").read_text() == "*.log\nservices/*/helm/values.yaml\n"


POLICY_RULES = """
rules:
  - code: LAY001
    severity: {severity}
    reason: this one scales by hand
    {limit}
"""


def say(shop: Path, severity: str, limit: str = "paths: []") -> None:
    with (shop / "hanbae.yaml").open("a") as policy:
        policy.write(POLICY_RULES.format(severity=severity, limit=limit))


@pytest.mark.parametrize(
    ("limit", "is_off"),
    [
        ("paths: []", True),
        ("paths: [services/auth]", True),
        ("paths: ['services/*/helm/*.yaml']", True),
        ("services: [auth]", True),
        ("services: [identity]", False),
        ("paths: [services/identity]", False),
        ("services: [auth]\n    paths: [services/identity]", False),
    ],
)
def test_policy_switches_a_rule_off(shop: Path, run: Run, limit: str, is_off: bool) -> None:
    (shop / HPA).unlink()
    say(shop, "off", limit)
    code, out, err = run("--fail-on", "warning")
    assert (code, "LAY001" in out) == ((0, False) if is_off else (1, True))
    assert ("Switched off by the policy: 1 (LAY001)" in err) is is_off
    _, out, _ = run("--show-accepted")
    assert ("switched off by the policy: this one scales by hand" in out) is is_off
    document = json.loads(run("--output", "json")[1])
    assert [item["by"] for item in document["accepted"]] == ["policy"] * is_off
    assert document["summary"]["policy"] == is_off
    (result,) = json.loads(run("--output", "sarif")[1])["runs"][0]["results"]
    suppressed = [item["justification"] for item in result.get("suppressions", [])]
    assert suppressed == ["this one scales by hand"] * is_off


def test_policy_makes_a_finding_graver_and_the_last_entry_counts(shop: Path, run: Run) -> None:
    (shop / HPA).unlink()
    say(shop, "error")
    assert run()[0] == 1
    with (shop / "hanbae.yaml").open("a") as policy:
        policy.write("  - {code: LAY001, severity: notice, reason: only here, services: [auth]}\n")
    code, out, _ = run()
    assert (code, "notice LAY001" in out) == (0, True)


def test_comment_for_a_rule_that_is_off_is_not_called_useless(shop: Path, run: Run) -> None:
    (shop / HPA).unlink()
    chart = shop / CHART
    chart.write_text("# hanbae: ignore LAY001 one replica\n" + chart.read_text())
    say(shop, "off")
    assert run("--fail-on", "notice")[0] == 0


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{code: LAY999, severity: off, reason: x}", "There is no rule LAY999. Did you mean LAY0"),
        ("{code: OWN-nothing, severity: off, reason: x}", "There is no rule OWN-nothing"),
        ("{code: lay001, severity: off, reason: x}", "not the code of a rule"),
        ("{code: LAY001, severity: off}", "rules[0].reason"),
        ("{code: LAY001, severity: off, reason: '  '}", "needs a reason"),
        ("{code: LAY001, severity: none, reason: x}", "error, warning, notice, off"),
        ("{code: LAY001, severity: off, reason: x, paths: [../a]}", "not a path in the repository"),
        ("{code: LAY001, severity: off, reason: x, path: a}", "Did you mean paths"),
        ("{severity: off, reason: x}", "none of the keys"),
        ("{code: LAY001, severity: off, reason: x, form: own}", "form"),
    ],
)
def test_entry_that_says_nothing_is_refused(shop: Path, run: Run, entry: str, words: str) -> None:
    with (shop / "hanbae.yaml").open("a") as policy:
        policy.write(f"rules:\n  - {entry}\n")
    code, _, err = run()
    assert code == 2
    assert "hanbae.yaml:" in err
    assert words in " ".join(err.split())


def test_own_rule_can_be_softened_for_one_service(shop: Path, run: Run) -> None:
    with (shop / "hanbae.yaml").open("a") as policy:
        policy.write(
            "rules:\n"
            "  - {id: never, kinds: [apps/Deployment], expression: 'false', message: no}\n"
            "  - {code: OWN-never, severity: off, reason: x, services: [auth, identity]}\n"
        )
    code, out, err = run()
    assert (code, out.count("OWN-never")) == (1, 1)
    assert "services/personal" in out
    assert "Switched off by the policy: 2 (OWN-never)" in err


def test_essential_profile_has_nothing_of_taste(shop: Path, run: Run) -> None:
    hurt(shop)
    policy = shop / "hanbae.yaml"
    policy.write_text(policy.read_text() + "profile: essential\n")
    code, out, err = run()
    assert code == 1
    assert "INP001" in out
    assert "LAY001" not in out
    essential = sum(rule.essential for rule in rulebook.rules().values())
    assert f"rules: {essential}" in err
    say(shop, "error", "services: [auth]")
    out = run()[1]
    assert out.count("LAY001") == 1


def test_branch_switches_nothing_off_for_itself(clone: Path, run: Run) -> None:
    (clone / HPA).unlink()
    say(clone, "off")
    assert run("--fail-on", "warning")[0] == 0
    code, out, _ = run("--fail-on", "warning", "--policy-from", "HEAD")
    assert code == 1
    assert "LAY001  " in out
    assert "has no effect here" in " ".join(out.split())
    git(clone, "commit", "-qam", "second")
    assert run("--fail-on", "warning", "--policy-from", "HEAD")[0] == 0


@pytest.mark.parametrize("code", ["ENV018", "INP004"])
def test_branch_that_would_silence_the_guards_is_found(clone: Path, run: Run, code: str) -> None:
    with (clone / "hanbae.yaml").open("a") as policy:
        policy.write(f"rules:\n  - {{code: {code}, severity: off, reason: x}}\n")
    status, out, _ = run("--policy-from", "HEAD")
    assert status == 1
    assert f"rules[0] is {code} off here" in " ".join(out.split())


NAME = re.compile(r"^  name: .*\n", re.MULTILINE)


def hurt_much(shop: Path) -> None:
    """Thirty errors of one rule and three warnings of another, one of them in each service."""
    for service in ("auth", "identity", "personal"):
        templates = shop / "services" / service / "helm/templates"
        text = (templates / "service.yaml").read_text()
        for number in range(10):
            name = f"name: {service}-{number}\n"
            extra = re.sub(NAME, f"  {name}  bogus: x\n", text, count=1)
            (templates / f"extra-{number}.yaml").write_text(extra)
        (templates / "hpa.yaml").unlink()


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")


def test_many_findings_are_read_from_the_top(
    shop: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurt_much(shop)
    whole = run()[1]
    assert whole.count("error KUB002") == 30
    assert run("--all")[1] == whole
    on_a_terminal(monkeypatch)
    code, out, err = run()
    assert code == 1
    lines = out.splitlines()
    assert lines[0] == "    30  error KUB002  A field does not exist"
    assert [line.partition(":")[0].strip() for line in lines[1:4]] == [
        f"services/auth/helm/templates/extra-{number}.yaml" for number in range(3)
    ]
    assert lines[4].strip() == "and 27 more places"
    assert lines[5] == "     3  warning LAY001  A template of the policy's chart layout is missing"
    assert "more" not in lines[-1]
    assert "hanbae check --all" in err
    assert run("--all")[1] == whole
    assert len(json.loads(run("-o", "json")[1])["findings"]) == 33


def test_few_findings_are_shown_as_ever_on_a_terminal(
    shop: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurt(shop)
    whole, summary = run()[1:]
    on_a_terminal(monkeypatch)
    assert run() == (1, whole, summary)
    assert run("--summary")[1] == whole


def test_report_in_a_file_has_everything(shop: Path, run: Run) -> None:
    hurt_much(shop)
    _, out, _ = run("--summary", "-o", "text", "-o", "markdown=all.md")
    assert out.count("KUB002") == 1
    assert (shop / "all.md").read_text().count("KUB002") == 30


def test_what_a_branch_has_changed_comes_before_the_rest(clone: Path, run: Run) -> None:
    hurt_much(clone)
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "second")
    assert run("--summary", "--changed-since", "HEAD")[1] == ""
    first = clone / "services/auth/helm/templates/extra-7.yaml"
    replace(first, "bogus: x", "bogus: y\n  absurd: x")
    for number in range(30):
        more = clone / f"services/auth/helm/templates/more-{number}.yaml"
        text = (first.parent / "extra-1.yaml").read_text()
        more.write_text(text.replace("auth-1", f"auth-m{number}"))
    git(clone, "add", *(str(path) for path in clone.glob("services/auth/helm/templates/more-*")))
    git(clone, "commit", "-qm", "third")
    _, out, _ = run("--summary", "--changed-since", "HEAD")
    lines = out.splitlines()
    assert lines[0] == "In files that were changed: 2"
    assert lines[1] == "services/auth/helm/templates/extra-7.yaml"
    assert "KUB002" in lines[2]
    assert any(line.startswith("      why: ") for line in lines[3:6])
    rest = next(number for number, line in enumerate(lines) if line.startswith("In other files: "))
    assert lines[rest + 1] == "    39  error KUB002  A field does not exist"


def test_what_is_not_in_the_baseline_is_called_so(shop: Path, run: Run) -> None:
    hurt(shop)
    run("--write-baseline")
    hurt_much_later = shop / "services/personal/helm/templates"
    text = (hurt_much_later / "service.yaml").read_text()
    for number in range(25):
        extra = re.sub(NAME, f"  name: e{number}\n  bogus: x\n", text, count=1)
        (hurt_much_later / f"extra-{number}.yaml").write_text(extra)
    _, out, _ = run("--summary")
    assert out.splitlines()[:2] == [
        "Not in the baseline: 25",
        "    25  error KUB002  A field does not exist",
    ]


def test_check_without_a_service_says_where_charts_are(shop: Path, run: Run) -> None:
    (shop / "services").rename(shop / "apps")
    code, _, err = run()
    assert "there are charts: apps/*/helm." in " ".join(err.split())
    assert "services.path" in err
    assert code in {0, 1}
    (shop / "apps").rename(shop / "services")
    assert "there are charts" not in run()[2]


def test_commit_that_brings_the_policy_is_checked_by_it(shop: Path, run: Run) -> None:
    policy = (shop / "hanbae.yaml").read_bytes()
    (shop / "hanbae.yaml").unlink()
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "first")
    (shop / "hanbae.yaml").write_bytes(policy)
    (shop / HPA).unlink()
    chart = shop / CHART
    chart.write_text("# hanbae: ignore LAY001 one replica\n" + chart.read_text())
    code, out, err = run("--policy-from", "HEAD", "--fail-on", "warning")
    assert (code, out) == (0, "")
    assert "no hanbae.yaml yet" in err
    (shop / "services/personal/helm/templates/hpa.yaml").unlink()
    assert run("--policy-from", "HEAD", "--fail-on", "warning")[0] == 1


def test_essential_profile_assumes_nothing_of_projects_and_namespaces(shop: Path, run: Run) -> None:
    extra = shop / "services/auth/helm/templates/extra.yaml"
    extra.write_text(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\n"
        "metadata: {name: r, namespace: elsewhere}\nrules: []\n"
    )
    deployment = shop / "services/auth/helm/templates/deployment.yaml"
    text = deployment.read_text()
    deployment.write_text(re.sub(r"runAsNonRoot: true", "runAsNonRoot: false", text))
    policy = shop / "hanbae.yaml"
    listed = re.compile(r"^  services:\n    purpose: .*\n", re.MULTILINE)
    policy.write_text(listed.sub("", policy.read_text(), count=1))
    out = run()[1]
    assert {"ARG027", "ARG028", "KUB017"} <= set(re.findall(r"[A-Z]{3}\d{3}", out))
    policy.write_text(policy.read_text() + "profile: essential\n")
    out = run()[1]
    assert not {"ARG027", "ARG028", "KUB017"} & set(re.findall(r"[A-Z]{3}\d{3}", out))


def test_file_that_is_taken_out_of_the_index_is_reported_no_longer(clone: Path, run: Run) -> None:
    path = "services/auth/helm/values.yaml"
    (clone / path).write_text("replicas: 1\n")
    git(clone, "add", "--force", path)
    git(clone, "commit", "-qm", "second")
    assert "LAY003" in run("auth", "--output", "json")[1]
    git(clone, "rm", "-q", "--cached", path)  # as its fix says; the next commit has it no longer
    assert "LAY003" not in run("auth", "--output", "json")[1]
