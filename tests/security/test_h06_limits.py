"""A branch cannot make a check run for ever, or fill the memory: one attack for each limit.

Each attack takes minutes, or all memory, where the limit is missing; here it takes seconds, and the test gives up on it
after a while, which is no measure of anything.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support import preforking

SHOP = Path(__file__).parents[2] / "examples" / "shop"
AUTH = "services/auth/helm"
_MEMORY = 8 * 1024**3

pytestmark = pytest.mark.timeout(100)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The shop, in no clone, so that whatever lies there is looked at."""
    folder = tmp_path / "shop"
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns("values.yaml", "app"))
    return folder


def hanbae(*words: str, folder: Path) -> tuple[int, str, str]:
    """The exit code, and what was written to stdout and to stderr."""
    return preforking.run(words, directory=folder, environment=os.environ, memory=_MEMORY)


def check(folder: Path) -> tuple[int, list[dict[str, object]]]:
    """The exit code and the findings of a check of auth."""
    words = ("--lang", "en", "check", "auth", "--no-cache", "-o", "json")
    code, out, err = hanbae(*words, folder=folder)
    assert code in {0, 1}, err[-2000:]
    return code, json.loads(out)["findings"]


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def replace(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


def spoil(shop: Path) -> Path:
    """Give auth a finding in a template, so that its lines are looked at."""
    path = shop / AUTH / "templates" / "migration-job.yaml"
    replace(path, "hook: Sync\n", "hook: Snyc\n")
    return path


def codes(findings: list[dict[str, object]]) -> set[object]:
    return {finding["code"] for finding in findings}


@pytest.mark.parametrize("stars", ["*a" * 25 + "b", "*a" * 500 + "b", "a" * 200 + "*a" * 25 + "/b"])
def test_stars_in_helmignore(shop: Path, stars: str) -> None:
    (shop / AUTH / ".helmignore").write_text(f"{stars}\n")
    folder = shop / AUTH / ("a" * 250)
    folder.mkdir()
    (folder / ("a" * 200)).write_text("")
    code, findings = check(shop)
    assert code == 0, findings


@pytest.mark.parametrize(
    "rules",
    ["*a*b\n" * 1001, "*" + "?" * 5000],
    ids=["many", "long"],
)
def test_more_patterns_in_helmignore_than_a_chart_can_mean(shop: Path, rules: str) -> None:
    (shop / AUTH / ".helmignore").write_text(rules)
    code, findings = check(shop)
    assert code == 1
    assert "patterns" in str(findings)


def test_patterns_of_helmignore_that_take_long_over_many_files(shop: Path) -> None:
    (shop / AUTH / ".helmignore").write_text(("*a" * 1000 + "b\n") * 900)
    folder = shop / AUTH / "files"
    folder.mkdir()
    for number in range(200):
        (folder / f"{'a' * 200}{number}").write_text("")
    code, findings = check(shop)
    assert code == 1
    assert "take too long" in str(findings)


@pytest.mark.parametrize(
    "line",
    ["#" + " " * 400_000, " " * 400_000 + "x", " # hanbae: ignore" * 20_000 + "{"],
    ids=["comment", "spaces", "accepting"],
)
def test_a_long_line_in_a_template_with_a_finding(shop: Path, line: str) -> None:
    path = spoil(shop)
    path.write_text("{{/*\n" + line + "\n*/}}\n" + path.read_text())
    _, findings = check(shop)
    assert "ARG001" in codes(findings)


def test_a_template_that_fails_with_many_names_of_templates(shop: Path) -> None:
    text = '{{ fail (repeat 100000 "templates/") }}'
    (shop / AUTH / "templates" / "fails.yaml").write_text(text)
    code, findings = check(shop)
    assert code == 1
    (place,) = {str(finding["place"]) for finding in findings if finding["code"] == "INP001"}
    assert "templates/fails.yaml" in place


@pytest.mark.parametrize("word", ["DETACH PARTITION ", "ALTER TABLE x DETACH PARTITION y "])
def test_a_statement_of_many_words_that_begin_a_hazard(shop: Path, word: str) -> None:
    folder = shop / "services/auth/migrations"
    last = max(folder.glob("*.sql")).name.partition("_")[0]
    name = f"{int(last) + 1:0{len(last)}}_long.sql"
    statement = "ALTER TABLE x " + word * 60_000 + "SYSTEM"
    (folder / name).write_text(f"-- +goose Up\n{statement};\n-- +goose Down\nSELECT 1;\n")
    code, findings = check(shop)
    assert code == 0, findings


@pytest.mark.parametrize("gap", [" ", "\N{EM SPACE}", "\v"], ids=["spaces", "wide", "other"])
def test_an_object_whose_name_is_mostly_space(shop: Path, gap: str) -> None:
    name = json.dumps("x" + gap * 200_000 + "y")
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n"
    (shop / AUTH / "templates" / "space.yaml").write_text(text)
    code, _, err = hanbae("check", "auth", "--no-cache", folder=shop)
    assert code == 1, err[-2000:]


EXPRESSIONS = {
    "replace": '"a"' + '.replace("a", "aaaaaaaaaa")' * 9 + ".size() > 0",
    "join": '["aaaaaaaaaa", "aaaaaaaaaa"].map(x, x'
    + '.replace("a", "aaaaaaaaaa")' * 8
    + ').join("").size() > 0',
    "loops": "object.metadata.name.split('').all(a, " * 1
    + "[1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, "
    + "[1,2,3,4,5,6,7,8,9,10].all(e, [1,2,3,4,5,6,7,8,9,10].all(f, a + string(b+c+d+e+f) != ''))))))",
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_a_rule_whose_expression_takes_all_time_or_memory(shop: Path, name: str) -> None:
    policy = shop / "hanbae.yaml"
    rule = {
        "id": "costly",
        "kinds": ["apps/Deployment", "Service", "v1/Service", "batch/Job"],
        "expression": EXPRESSIONS[name],
        "message": "x",
    }
    append(policy, f"\nrules: {json.dumps([rule])}\n")
    code, findings = check(shop)
    assert code == 1
    reasons = [str(finding) for finding in findings if finding["code"] == "OWN-costly"]
    assert reasons
    assert all("takes more than" in reason or "budget" in reason for reason in reasons), reasons


@pytest.mark.parametrize(
    ("pattern", "length"), [("^" + "a?" * 40 + "a" * 40 + "$", 40), ("^a*a*a*b$", 20_000)]
)
def test_a_pattern_in_a_schema(shop: Path, pattern: str, length: int) -> None:
    schema = shop / AUTH / "values.schema.json"
    content = json.loads(schema.read_text())
    content.setdefault("properties", {})["hostile"] = {"type": "string", "pattern": pattern}
    schema.write_text(json.dumps(content))
    append(shop / AUTH / "values-dev.yaml", f"\nhostile: {'a' * length}\n")
    _, findings = check(shop)
    assert "longer than" not in str(findings)


def test_a_policy_of_thousands_of_environments(shop: Path) -> None:
    policy = shop / "hanbae.yaml"
    many = "".join(
        f"  e{number}: {{platform: kubernetes, branch: b{number}, sync: auto,"
        f" values: values-e{number}.yaml, namespace_suffix: -e{number}}}\n"
        for number in range(3000)
    )
    replace(policy, "environments:\n", f"environments:\n{many}")
    _, findings = check(shop)
    assert findings


def zeros(size: int) -> bytes:
    """A compressed archive with one file of so many MiB of zeros, which itself takes no time to make."""
    header = tarfile.TarInfo("evil/Chart.yaml")
    header.size = size * 1024**2
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(header.tobuf(tarfile.GNU_FORMAT)) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(1024**2)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + block * size


def packed(name: str, content: bytes, times: int = 1) -> bytes:
    """A packed chart that has others packed in it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        files = {f"{name}/charts/inner{number}.tgz": content for number in range(times)}
        chart = f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n".encode()
        for path, data in {f"{name}/Chart.yaml": chart, **files}.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def deep() -> bytes:
    content = zeros(64)
    for _ in range(40):
        content = packed("deep", content)
    return content


@pytest.mark.parametrize(
    "make",
    [lambda: zeros(4096), lambda: packed("wide", zeros(4096), 12), deep],
    ids=["large", "many", "deep"],
)
def test_a_packed_chart_that_is_larger_than_it_looks(shop: Path, make: Callable[[], bytes]) -> None:
    folder = shop / AUTH / "charts"
    folder.mkdir()
    content = make()
    assert len(content) < 8 * 1024**2
    (folder / "evil.tgz").write_bytes(content)
    code, findings = check(shop)
    assert code == 1
    assert "INP001" in codes(findings)
