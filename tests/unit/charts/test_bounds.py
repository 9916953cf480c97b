"""What is larger than may be rendered is refused at once, and at its place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest
import pytest_asyncio
from tests.support import charts

from hanbae import errors
from hanbae.charts import choosing, pools, rendering

pytestmark = pytest.mark.asyncio(loop_scope="module")
CHART = {
    "Chart.yaml": b"apiVersion: v2\nname: a\nversion: 1.0.0\n",
    "templates/a.yaml": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
}
NEWLINE = b"\n"
VALUES = "services/a/helm/values-dev.yaml"
KEYS = "".join(f"a{number}: 1\n" for number in range(100_500)).encode()
ITEMS = b"a:\n" + b"- 1\n" * 100_500
FLOW = b"b: 1\na: [" + b"1, " * 100_500 + b"]\n"
# Block and flow, with lists in the columns of their keys.
DEEP_BLOCK = b"".join(b" " * depth + b"a:\n" for depth in range(600)) + b" " * 600 + b"b: 1\n"
DEEP_FLOW = b"b: 1\na: " + b"{a: " * 600 + b"1" + b"}" * 600 + b"\n"
DEEP_LISTS = (
    b"".join(b" " * depth + b"a:\n" + b" " * depth + b"-\n" for depth in range(300))
    + b" " * 300
    + b"b\n"
)
# So deep that the reader of YAML itself gives up.
ABYSS = b"b: 1\na: " + b"[" * 20_000 + b"]" * 20_000 + b"\n"
# What aliases stand for, where they stand: a thousand and one entries, a megabyte, one level more.
WIDE = b"a: &a {" + b", ".join(b"k%d: 1" % number for number in range(1000)) + b"}\nb:\n"
LONG = b"a: &a " + b"x" * 1_000_000 + b"\nb:\n" + b"- *a\n" * 3000
HALVES = b"a: &a %b1%b\nb: %b*a%b\n" % ((b"[" * 150, b"]" * 150) * 2)
RULES = (
    b'{\n"properties": {\n'
    + b",\n".join(b'"a%d": {"type": "string"}' % number for number in range(12_000))
    + b"}}"
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[pools.Pool]:
    """A renderer for all tests: to start one takes longer than what most of them ask."""
    async with pools.opened(1) as pool:
        yield pool


async def fault(
    pool: pools.Pool, more: Mapping[str, bytes], values: bytes = b""
) -> tuple[str, str] | None:
    """The id of the fault and its place; None where it renders."""
    request = pools.Release("r", "n", (values,), values_files=(VALUES,))
    message = pools.Request([request])
    (answer,) = await pool.render(CHART | more, message, chart="services/a/helm", limit=300)
    try:
        rendering.rendered(answer, chart="services/a/helm", values_files=request.values_files)
    except errors.FileFault as error:
        return error.text.id.removeprefix("render.beyond-"), str(error.place)
    return None


@pytest.mark.parametrize(
    ("text", "bound", "line"),
    [
        pytest.param(KEYS, "entries", 100_001, id="keys"),
        pytest.param(ITEMS, "entries", 100_001, id="items"),
        pytest.param(FLOW, "entries", 2, id="flow"),
        pytest.param(b"- \n" * 600_000, "entries", 100_001, id="more than are counted"),
        pytest.param(DEEP_BLOCK, "depth", 251, id="deep block"),
        pytest.param(DEEP_LISTS, "depth", 251, id="deep lists"),
        pytest.param(DEEP_FLOW, "depth", 2, id="deep flow"),
        pytest.param(ABYSS, "depth", 2, id="abyss"),
        pytest.param(b"a: " + b"x" * (9 << 20), "bytes", 0, id="bytes"),
        pytest.param(WIDE + b"- *a\n" * 200, "entries", 101, id="aliases"),
        pytest.param(WIDE + b"- {<<: *a}\n" * 200, "entries", 101, id="merge keys"),
        pytest.param(LONG, "bytes", 10, id="aliases of a text"),
        pytest.param(HALVES, "depth", 2, id="aliases in the depth"),
        pytest.param(DEEP_BLOCK.replace(b"\n", b"\r"), "depth", 251, id="carriage returns"),
        pytest.param(DEEP_BLOCK.decode().encode("utf-16"), "depth", 251, id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf" + b"- " * 600 + b"a\n", "depth", 1, id="behind a mark"),
        pytest.param(b"? a\n: " + b"- " * 600 + b"b\n", "depth", 2, id="behind a colon"),
    ],
)
async def test_values_that_are_too_large_are_refused_at_their_line(
    pool: pools.Pool, text: bytes, bound: str, line: int
) -> None:
    assert await fault(pool, {}, text) == (bound, f"{VALUES}{f':{line}' if line else ''}")


@pytest.mark.parametrize(
    "file",
    [
        "values.yaml", "Chart.yaml", "requirements.yaml", "crds/b.yaml", "charts/b/values.yaml",
        "charts/b/Chart.yaml", "charts/b/charts/c/crds/d.yaml",
    ],
)  # fmt: skip
@pytest.mark.parametrize(("text", "bound"), [(FLOW, "entries"), (DEEP_FLOW, "depth")])
async def test_file_that_helm_reads_is_refused_at_its_line(
    pool: pools.Pool, file: str, text: bytes, bound: str
) -> None:
    before = CHART.get(file, b"")
    place = f"services/a/helm/{file}:{before.count(NEWLINE) + 2}"
    assert await fault(pool, {file: before + text}) == (bound, place)


@pytest.mark.parametrize(
    ("text", "bound", "line"),
    [
        (RULES, "entries", 10_002),
        (b'{"not":\n' + b'{"not":' * 600 + b"{}" + b"}" * 601, "depth", 2),
        (b'{"title": "' + b"x" * (9 << 20) + b'"}', "bytes", 0),
    ],
)
async def test_schema_that_would_take_long_is_refused_at_its_line(
    pool: pools.Pool, text: bytes, bound: str, line: int
) -> None:
    for file in ("values.schema.json", "charts/b/values.schema.json"):
        place = f"services/a/helm/{file}{f':{line}' if line else ''}"
        assert await fault(pool, {file: text}) == (bound, place)


@pytest.mark.parametrize(
    ("template", "bound"),
    [
        ("data:{{ range until 100500 }}\n  a{{ . }}: x{{ end }}\n", "entries"),
        ('data: {{ repeat 600 "[" }}{{ repeat 600 "]" }}\n', "depth"),
        ('data: {a: {{ repeat 9000000 "x" }}}\n', "bytes"),
        ('data: {a: &a {{ repeat 1000000 "x" }}, b: [{{ repeat 3000 "*a," }}]}\n', "bytes"),
    ],
)
@pytest.mark.parametrize("file", ["templates/b.yaml", "charts/b/templates/b.yaml"])
async def test_what_a_template_makes_is_refused_at_the_template(
    pool: pools.Pool, file: str, template: str, bound: str
) -> None:
    head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n"
    more = {file: (head + template).encode()}
    if file.startswith("charts/"):
        more["charts/b/Chart.yaml"] = b"apiVersion: v2\nname: b\nversion: 1.0.0\n"
    assert await fault(pool, more) == (bound, f"services/a/helm/{file}")


async def test_what_is_in_a_packed_chart_is_refused_at_the_pack(pool: pools.Pool) -> None:
    inner = {
        "Chart.yaml": "apiVersion: v2\nname: b\nversion: 1.0.0\n",
        "values.yaml": KEYS.decode(),
    }
    more = {"charts/b-1.0.0.tgz": charts.packed("b", inner)}
    assert await fault(pool, more) == ("entries", "services/a/helm/charts/b-1.0.0.tgz")


async def test_packed_charts_in_one_another_are_bounded(pool: pools.Pool) -> None:
    """Helm unpacks all of them, so what is in the fifth would be read without bounds."""
    chart = {"Chart.yaml": b"apiVersion: v2\nname: b\nversion: 1.0.0\n"}
    content = charts.packed("b", chart | {"values.yaml": LONG})
    for _ in range(4):
        content = charts.packed("b", chart | {"charts/b.tgz": content})
    place = "services/a/helm/charts/b.tgz"
    assert await fault(pool, {"charts/b.tgz": content}) == ("depth", place)


async def test_archive_of_a_server_is_refused_by_the_same_bounds(pool: pools.Pool) -> None:
    chart = {"Chart.yaml": b"apiVersion: v2\nname: b\nversion: 1.0.0\n", "values.yaml": LONG}
    answer = await choosing.packed(pool, charts.packed("b", chart), chart="services/a/helm")
    assert answer.error == "values.yaml has more than 8388608 bytes"


async def test_aliases_that_people_write_are_rendered(pool: pools.Pool) -> None:
    shared = b"a: &a {b: [1, 2], c: {d: &d text}}\ne: {<<: *a, f: *a}\ng: [*d, *d]\n"
    assert await fault(pool, {"values.yaml": shared}, shared) is None


async def test_large_text_with_few_entries_is_rendered(pool: pools.Pool) -> None:
    """A dashboard in a block scalar has braces, colons and commas enough, and is one entry."""
    dashboard = b"a: |\n" + b'  {"a": [{"b": 1}, {"c": 2}], "d": -1}\n' * 40_000
    assert await fault(pool, {"values.yaml": dashboard}, dashboard) is None
    assert (
        await fault(pool, {"values.schema.json": b'{"title": "' + b"{[,:" * 40_000 + b'"}'}) is None
    )


async def test_as_much_as_may_be_is_rendered(pool: pools.Pool) -> None:
    keys = b"".join(b"a%d: 1\n" % number for number in range(99_990))
    deep = b"a: " + b"{a: " * 245 + b"1" + b"}" * 245 + b"\n"
    assert await fault(pool, {}, keys) is None
    assert await fault(pool, {}, deep) is None
