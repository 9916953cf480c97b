"""Whatever is in a file's name, a value or an error, each format stays what it is and shows it."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
import xmlschema
from hypothesis import assume, example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from hanbae import subjects, wording
from hanbae.actions import check
from hanbae.cli import reports
from hanbae.cli.reports import finding_lines
from hanbae.cli.text import catalogue, escaping, wrapping
from hanbae.results import findings

XSD = xmlschema.XMLSchema(Path(__file__).parents[2] / "data" / "schemas" / "junit-10.xsd")
#: Letters that mean something to one of the formats, and some that deceive people.
NASTY = st.text(
    st.one_of(
        st.sampled_from(
            "\r\n\t\0\x1b\x07\x7f\x85\u2028\u202e\u200b\ufeff\uffff\ud800%:,;&<>\"'`\\[](){}*_#+-.!|~$@="
        ),
        st.characters(),
    ),
    max_size=40,
)
PIECES = st.sampled_from(
    [
        "::error::x",
        "\n::set-output name=a::b",
        "##[error]",
        "##vso[task]",
        "##teamcity[x]",
        "\x1b[31m",
        "]]>",
        "<script>alert(1)</script>",
        "<!--",
        "[a](javascript:x)",
        "![](https://evil.example)",
        "https://evil.example",
        "@team",
        "`` ` ```",
        "| a | b |",
        "%0A::warning::",
        "{object}",
        "한글 문장",
        "\u202egnp.exe",
    ]
)
TEXTS = st.lists(st.one_of(NASTY, PIECES), max_size=4).map("".join)
CODE = "INP001"


def report(file: str, value: str, reason: str, width: int = 80) -> reports.Report:
    finding = findings.Finding(
        CODE,
        "error",
        subjects.Place(file, 3, 1),
        wording.Text("render.failed", {"error": value}),
        "template",
        "auth",
        ("dev",),
        subjects.Ref("Job", value, value),
        wording.Text("rule.lay001-fix", {"file": value}),
    )
    about = check.About(
        wording.Text("rule.inp001-title"),
        wording.Text("rule.own-why", {"id": value}),
        wording.Text("rule.inp001-fix"),
        "error",
        "inputs",
        "https://example.com",
    )
    accepted = findings.Accepted(finding, "ignore", reason, subjects.Place(file, 2))
    result = check.Result(
        (finding, msgspec.structs.replace(finding, place=subjects.Place(file))),
        ("auth",),
        ("dev", "staging"),
        1,
        (accepted,),
        (),
        {CODE: about},
    )
    return reports.Report(result, accepted=True, width=width)


@pytest.fixture(autouse=True, scope="module")
def _english() -> None:
    catalogue.speak("en")


@given(TEXTS, TEXTS, TEXTS, st.integers(1, 120))
def test_terminal_obeys_nothing(file: str, value: str, reason: str, width: int) -> None:
    text = reports.written(report(file, value, reason, width), "text")
    text.encode()
    for line in text.split("\n"):
        assert line == escaping.plain(line) or line.startswith(" ")
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]", line)
        assert not line.lstrip().startswith("::")
        assert not re.search(r"##(\[|vso|teamcity)", line)


BROKEN = re.compile(r"# #|\\::")


@given(TEXTS, st.integers(30, 120))
@example("00##[000000##[000000##[", 30)
def test_lines_are_as_wide_as_the_terminal_and_lose_nothing(text: str, width: int) -> None:
    shown = escaping.plain(text)
    assume(not wrapping._program().search(shown))  # a command stays whole
    lines = finding_lines.wrapped(shown, width, "  1:1  ", "      ")
    # A command that was broken is one letter longer.
    assert all(wrapping.cells(line) <= width + len(BROKEN.findall(line)) for line in lines)
    kept = "".join("".join(lines).split())
    assert len(kept) >= len("".join(("1:1" + shown).split()))


@given(TEXTS, TEXTS, TEXTS)
def test_github_takes_each_line_for_one_annotation(file: str, value: str, reason: str) -> None:
    text = reports.written(report(file, value, reason), "github")
    text.encode()
    lines = text.split("\n")
    assert lines.pop() == ""
    assert len(lines) == 2
    for line in lines:
        assert not re.search(r"[\x00-\x1f\x7f-\x9f]", line)
        match = re.fullmatch(r"::error (?P<properties>[^:]*)::(?P<words>.*)", line)
        assert match
        names = [part.partition("=")[0] for part in match["properties"].split(",")]
        assert [name for name in names if name] == names
        assert set(names) <= {"file", "line", "col", "title"}
        for part in match["properties"].split(","):
            decoded = part.partition("=")[2]
            assert "%" not in re.sub(r"%(25|0D|0A|3A|2C)", "", decoded)


@given(TEXTS, TEXTS, TEXTS)
@example("\udc80", "\ud800\udc80", "")
def test_json_holds_every_text(file: str, value: str, reason: str) -> None:
    document = json.loads(reports.written(report(file, value, reason), "json").encode())
    first, second = document["findings"]
    assert first["text"]["facts"]["error"] == wholly(value)
    assert first["place"]["file"] == wholly(file)
    assert first["fingerprint"] != second["fingerprint"]
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", first["message"])


def wholly(text: str) -> str:
    """A text as UTF-8 has it: a lone surrogate is a byte of a file's name where all of them are, else a letter."""
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        data = text.encode("utf-8", "surrogatepass")
    return data.decode("utf-8", "replace")


@given(TEXTS, TEXTS, TEXTS)
@example(file="\ud800", value="\ud800", reason="\udc80")
@example(file="\udc80", value="", reason="")
def test_sarif_has_no_link_but_its_own(file: str, value: str, reason: str) -> None:
    log = json.loads(reports.written(report(file, value, reason), "sarif").encode())
    for result in log["runs"][0]["results"]:
        message = result["message"]["text"]
        assert not re.search(r"(?<!\\)(?:\\\\)*[\[\]]", message)
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})*", uri)


@given(TEXTS, TEXTS, TEXTS)
def test_junit_is_valid(file: str, value: str, reason: str) -> None:
    text = reports.written(report(file, value, reason), "junit")
    XSD.validate(text)
    root = ET.fromstring(text.encode())  # noqa: S314  our own
    assert [len(root.findall(f".//{name}")) for name in ("testcase", "failure", "skipped")] == [
        4,
        2,
        1,
    ]


#: Letters that mean something to Markdown, close together.
MARKS = st.text(st.sampled_from("\\`*_[](){}<>&#+-.!|~$^:=@1 aw한;/\"'"), max_size=12)
PLACES = {
    "paragraph": ("{}", r"<p>(.*)</p>"),
    "sentence": ("x {} x", r"<p>x (.*) x</p>"),
    "item": ("- {}", r"<ul>\n<li>(.*)</li>\n</ul>"),
    "heading": ("## {}", r"<h2>(.*)</h2>"),
    "strong": ("x **x{}x** x", r"<p>x <strong>x(.*)x</strong> x</p>"),
    "cell": (
        "| a | b |\n| --- | --- |\n| {} | x |",
        r".*<tbody>\n<tr>\n<td>(.*)</td>\n<td>x</td>.*",
    ),
}


@pytest.mark.parametrize("place", PLACES)
@given(text=TEXTS | MARKS)
@example(text="1. a")
@example(text="- - -")
@example(text="a ##")
@example(text="a\\")
@example(text="__a__ _a a_ a_b")
@example(text="_\\__a")
@example(text="<!-- &amp; &copy; <a")
@example(text="[a]: https://evil.example")
@example(text="~~a~~")
def test_markdown_shows_text_as_it_is_wherever_it_stands(place: str, text: str) -> None:
    before, shape = PLACES[place]
    shown = escaping.plain(text)
    if not shown:
        return  # there is nothing to show
    source = before.format(escaping.markdown(text))
    rendered = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(source).strip()
    match = re.fullmatch(shape, rendered, re.DOTALL)
    assert match, rendered
    assert "<" not in match[1], rendered
    plain = html.unescape(match[1]).replace("@\u200b", "@")
    assert " ".join(plain.split()) == " ".join(shown.split())


@given(TEXTS)
def test_markdown_has_no_link_that_github_would_make_by_itself(text: str) -> None:
    written = escaping.markdown(text)
    assert not re.search(r"(?<!\\):/" "/", written)
    assert not re.search(r"[wW]{3}\.", written)
    assert not re.search("@(?!\u200b)", written)


@pytest.mark.parametrize(
    "text",
    [
        "2.9.1 변경관리",
        "2026-11-29 17:00:17+00:00",
        "system:serviceaccount:hanbae-services-production:hanbae-deployer",
        "orders_db: 00002_add-index.sql (1/2)",
        "k8s/overlays/dev, values-dev.yaml; a = b > c, 1 < 2, R & D",
        "C# 12 -x +1 1.2 {name} a] !b ^c",
    ],
)
def test_markdown_escapes_nothing_that_needs_none(text: str) -> None:
    assert escaping.markdown(text) == text


@given(TEXTS)
def test_markdown_code_cannot_be_ended(text: str) -> None:
    rendered = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(
        f"x {escaping.code(text)} x"
    )
    assert re.fullmatch(r"<p>x <code>[^<]*</code> x</p>\n", rendered), rendered


@given(TEXTS, TEXTS, TEXTS)
def test_markdown_has_only_its_own_structure(file: str, value: str, reason: str) -> None:
    text = reports.written(report(file, value, reason), "markdown")
    rendered = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(text)
    tags = set(re.findall(r"<(/?\w+)", rendered))
    assert tags <= {
        f"{end}{name}"
        for end in ("", "/")
        for name in ("h2", "h3", "p", "ul", "li", "strong", "code")
    }
    assert rendered.count("<h3>") == 2
