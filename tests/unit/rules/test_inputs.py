"""Bad input: one finding at its place for its service, no traceback, in bounded time, and the others are checked."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from hanbae import yaml_bounds
from hanbae.actions import check
from hanbae.charts import pools
from hanbae.results import findings
from hanbae.sandbox import demo_repository

PREPARED = Path(__file__).parent / "prepared"
SERVICE = "services/auth/helm/templates/service.yaml"
VALUES = "services/auth/helm/values-dev.yaml"
CHART = "services/auth/helm/Chart.yaml"
BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)
RECURSION = '{{ $t := "{{ tpl .t . }}" }}{{ tpl $t (dict "t" $t "Template" .Template) }}'


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(demo_repository.example(), tmp_path, ignore=ignored, dirs_exist_ok=True)
    shutil.copytree(PREPARED, tmp_path, dirs_exist_ok=True)
    (tmp_path / ".gitignore").write_text("services/*/helm/values.yaml\n")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    # Somebody else's finding, which bad input elsewhere must not hide.
    (tmp_path / "services/identity/helm/templates/hpa.yaml").unlink()
    return tmp_path


def findings_of(shop: Path) -> list[findings.Finding]:
    """What is found of auth; that of identity is found as always."""
    result = asyncio.run(check.check(shop, check.Request(("auth", "identity"))))
    other = [finding for finding in result.findings if finding.service == "identity"]
    assert [finding.code for finding in other] == ["LAY001"]
    return [finding for finding in result.findings if finding.service != "identity"]


Content = str | Callable[[], str]
"""What a file has; a function makes what is so large that not every collection of tests should."""


def text(path: str, content: Content, before: Content = "") -> Callable[[Path], object]:
    def make(root: Path) -> None:
        parts = (part if isinstance(part, str) else part() for part in (before, content))
        (root / path).write_text("".join(parts))

    return make


def more(path: str, content: Content) -> Callable[[Path], object]:
    return lambda root: text(path, content, (root / path).read_text)(root)


def data(path: str, content: bytes) -> Callable[[Path], object]:
    def make(root: Path) -> None:
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_bytes(content)

    return make


def link(path: str, target: str) -> Callable[[Path], object]:
    def make(root: Path) -> None:
        (root / path).unlink(missing_ok=True)
        (root / path).symlink_to(target)

    return make


def folder(path: str) -> Callable[[Path], object]:
    def make(root: Path) -> None:
        (root / path).unlink()
        (root / path).mkdir()
        (root / path / "x").write_text("x")

    return make


def lines() -> str:
    return "".join(f"a{number}: 1\n" for number in range(600_000))


def indented(key: str) -> str:
    return f"{key}:\n" + "".join(f"  a{number}: x\n" for number in range(600_000))


def rules() -> str:
    return '{"required": [\n' + ",\n".join(f'"a{number}"' for number in range(600_000)) + "]}"


DEEP = f"a: {'[' * 40_000}{']' * 40_000}"
BAD: dict[str, tuple[str, Callable[[Path], object]]] = {
    "broken values": (f"{VALUES}:2:4", text(VALUES, "a: [\nb: }\n")),
    "broken template": (SERVICE, text(SERVICE, "a: [\nb: }\n")),
    "broken Chart.yaml": (CHART, text(CHART, "a: [\nb: }\n")),
    "empty Chart.yaml": (CHART, text(CHART, "")),
    "template that does not parse": (f"{SERVICE}:1", text(SERVICE, "{{ if }}\n")),
    "template that fails": (f"{SERVICE}:2:3", text(SERVICE, 'a: 1\n{{ fail "no" }}\n')),
    "alias bomb in values": (f"{VALUES}:6:10", text(VALUES, BOMB)),
    "alias bomb in a template": (SERVICE, text(SERVICE, BOMB)),
    "alias bomb in Chart.yaml": (f"{CHART}:13", more(CHART, BOMB)),
    "values of 50 MB": (VALUES, text(VALUES, lambda: "a: " + "x" * 50_000_000)),
    "values of 600,000 lines": (f"{VALUES}:100001", text(VALUES, lines)),
    "Chart.yaml of 600,000 lines": (
        f"{CHART}:100002",
        more(CHART, lambda: indented("annotations")),
    ),
    "template of 600,000 lines": (SERVICE, more(SERVICE, lambda: indented("more"))),
    "template that makes 600,000 lines": (
        SERVICE,
        text(SERVICE, "a:{{ range until 600000 }}\n- 1{{ end }}\n"),
    ),
    "schema of 600,000 lines": (
        "services/auth/helm/values.schema.json:20000",
        text("services/auth/helm/values.schema.json", rules),
    ),
    "values that lead out": (VALUES, link(VALUES, "/etc/passwd")),
    "template that leads out": (
        "services/auth/helm/templates/x.yaml",
        link("services/auth/helm/templates/x.yaml", "/etc/passwd"),
    ),
    "folder that leads out": (
        "services/auth/helm/templates/sub",
        link("services/auth/helm/templates/sub", "/etc"),
    ),
    "link to itself": (
        "services/auth/helm/templates/x.yaml",
        link("services/auth/helm/templates/x.yaml", "x.yaml"),
    ),
    "include that never ends": (
        f"{SERVICE}:1:47",
        text(SERVICE, '{{ define "r" }}{{ include "r" . }}{{ end }}{{ include "r" . }}'),
    ),
    "tpl that never ends": (CHART, text(SERVICE, RECURSION)),
    "loop that never ends": (CHART, text(SERVICE, "{{ range until 2000000000 }}x{{ end }}")),
    "schema that reads a file": (
        "services/auth/helm/values.schema.json",
        text("services/auth/helm/values.schema.json", '{"$ref": "file:///etc/passwd"}'),
    ),
    "schema that reads a URL": (
        "services/auth/helm/values.schema.json",
        text("services/auth/helm/values.schema.json", '{"$ref": "http://localhost:1/x"}'),
    ),
    "schema that is no JSON": (
        "services/auth/helm/values.schema.json",
        text("services/auth/helm/values.schema.json", "{"),
    ),
    "binary template": (SERVICE, data(SERVICE, bytes(range(256)) * 10)),
    "binary values": (VALUES, data(VALUES, bytes(range(256)) * 10)),
    "values that are not UTF-8": (VALUES, data(VALUES, b"a: \xff\xfe\n")),
    "template that is not UTF-8": (SERVICE, data(SERVICE, b"a: \xff\xfe\n")),
    "NUL in values": (VALUES, data(VALUES, b"a: \0\n")),
    "NUL in a template": (SERVICE, data(SERVICE, b"a: \0\n")),
    "folder called Chart.yaml": (CHART, folder(CHART)),
    "folder in place of values": (VALUES, folder(VALUES)),
    "lists in lists in values": (f"{VALUES}:1:253", text(VALUES, DEEP)),
    "maps in maps in values": (
        f"{VALUES}:1:1000",
        text(VALUES, f"a: {'{a: ' * 3000}1{'}' * 3000}"),
    ),
    "lists in lists in a template": (SERVICE, text(SERVICE, DEEP)),
    "lists in lists in Chart.yaml": (f"{CHART}:8", more(CHART, DEEP)),
    "values that are a list": (VALUES, text(VALUES, "- a\n")),
    "values that are a word": (VALUES, text(VALUES, "a\n")),
    "key that is a list": (VALUES, text(VALUES, "? [a]\n: b\n")),
    "metadata that is a list": (
        SERVICE,
        text(SERVICE, "apiVersion: v1\nkind: ConfigMap\nmetadata: [a]\n"),
    ),
    "object without a kind": (SERVICE, text(SERVICE, "apiVersion: v1\nmetadata: {name: a}\n")),
    "archive that is none": (
        "services/auth/helm/charts/a.tgz",
        data("services/auth/helm/charts/a.tgz", b"nonsense"),
    ),
}

ENDLESS = {"tpl that never ends", "loop that never ends"}
"""What only the limit of time ends."""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chart of auth has less time than otherwise: it takes all of it, on a core."""
    ask = pools.Pool._ask

    def sooner(self: pools.Pool, message: Sequence[bytes], shown: str, limit: float) -> Any:
        assert limit == pools.TIMEOUT
        return ask(self, message, shown, 2 if "auth" in shown else limit)

    monkeypatch.setattr(pools.Pool, "_ask", sooner)


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_finding_at_its_place(
    shop: Path, name: str, request: pytest.FixtureRequest
) -> None:
    if name in ENDLESS:
        request.getfixturevalue("impatient")
    place, make = BAD[name]
    make(shop)
    (finding,) = findings_of(shop)
    # A link that leads out is told by a rule of its own.
    code = "LAY012" if "out" in name.split() else "INP001"
    assert (finding.code, str(finding.place)) == (code, place)
    assert finding.severity == "error"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("services/auth/helm/values.yaml.example", [("LAY006", 253)]),
        ("services/auth/helm/secret.yaml", []),
        ("k8s/argocd/application.yaml", []),
    ],
)
def test_file_that_goes_too_deep_stops_nothing(
    shop: Path, path: str, expected: list[tuple[str, int]]
) -> None:
    (shop / path).parent.mkdir(parents=True, exist_ok=True)
    (shop / path).write_text(f"{DEEP}\napiVersion: argoproj.io/v1alpha1\nkind: Secret\n")
    assert [(finding.code, finding.place.column) for finding in findings_of(shop)] == expected


@pytest.mark.parametrize("opening", ["[", "{a: ", "[{a: "])
def test_file_as_deep_as_may_be_stops_nothing(shop: Path, opening: str) -> None:
    """Python ends a walk at a thousand calls, and some make more than one a level."""
    closing = opening.replace("a: ", "").translate(str.maketrans("[{", "]}"))[::-1]
    times = (yaml_bounds.DEEPEST - 1) // len(closing)
    deep = f"\ndeep: {opening * times}1{closing * times}\n"
    for path in (shop / "k8s").rglob("*.yaml"):
        path.write_text(path.read_text() + deep)
    assert {finding.code for finding in findings_of(shop)} == {"KUS001"}


def test_doubled_key_whose_values_go_deep_is_one_finding(shop: Path) -> None:
    deep = f"deep: {'{a: ' * 150}1{'}' * 150}\n"
    (shop / "services/auth/helm/values.schema.json").unlink()
    (shop / VALUES).write_text((shop / VALUES).read_text() + deep * 2)
    assert "INP006" in {finding.code for finding in findings_of(shop)}


def test_doubled_key_is_one_finding_where_it_is_repeated(shop: Path) -> None:
    values = shop / VALUES
    values.write_text(values.read_text() + "ingress: {enabled: false, path: /}\n")
    (finding,) = findings_of(shop)
    assert (finding.code, finding.text.facts) == ("INP006", {"key": "ingress"})
    assert finding.place.line == len(values.read_text().splitlines())


def test_pipe_is_no_file_of_a_repository(shop: Path) -> None:
    os.mkfifo(shop / "services/auth/helm/templates/pipe.yaml")
    assert findings_of(shop) == []


def test_binary_file_that_is_no_template_is_no_fault(shop: Path) -> None:
    (shop / "services/auth/helm/logo.png").write_bytes(bytes(range(256)))
    assert findings_of(shop) == []


@pytest.mark.parametrize(
    "place", ["services/auth", "services/auth/helm", "services/auth/helm/charts/x"]
)
@pytest.mark.parametrize("revision", [None, "HEAD"])
def test_submodule_is_one_finding(shop: Path, place: str, revision: str | None) -> None:
    def git(*arguments: str, folder: Path = shop) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        words = ["git", *identity, *arguments]
        return subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True).stdout

    if place in {"services/auth", "services/auth/helm"}:
        shutil.rmtree(shop / place)
    (shop / place).mkdir(parents=True)
    git("init", "-q", folder=shop / place)
    git("commit", "-q", "--allow-empty", "-m", "x", folder=shop / place)
    git("init", "-q")
    git("-c", "advice.addEmbeddedRepo=false", "add", "-A")
    git("commit", "-qm", "first")
    request = check.Request(("auth", "identity"), revision=revision)
    result = asyncio.run(check.check(shop, request))
    own = [finding for finding in result.findings if finding.code == "INP001"]
    assert [(str(finding.place), finding.text.id) for finding in own] == [
        (place, "repository.submodule")
    ]
    assert [finding for finding in result.findings if finding.service == "identity"]
