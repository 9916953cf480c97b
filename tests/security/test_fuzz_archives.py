"""Layers of images, packed charts and charts: whatever is in them, what unpacks and renders them has an answer."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import sys
import tarfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.support import fuzzing

from hanbae.charts import pools
from hanbae.images import layer_worker

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

NAMES = [
    "a.sql",
    "../a.sql",
    "/etc/passwd",
    "app/../../x",
    ".wh.a.sql",
    ".wh..wh..opq",
    "a" * 5000,
    "\udcff",
    "",
    ".",
]
KINDS = [
    tarfile.REGTYPE,
    tarfile.DIRTYPE,
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.FIFOTYPE,
    tarfile.CHRTYPE,
    b"Z",
]


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """An archive with odd members, packed one way or another, and perhaps damaged."""
    stream = io.BytesIO()
    style = draw(st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
    with tarfile.open(fileobj=stream, mode="w", format=style, errors="surrogateescape") as archive:
        for _ in range(draw(st.integers(0, 6))):
            member = tarfile.TarInfo(f"app/{draw(st.sampled_from(NAMES))}")
            member.type = draw(st.sampled_from(KINDS))
            member.linkname = draw(st.sampled_from(NAMES))
            content = draw(st.binary(max_size=30)) if member.type == tarfile.REGTYPE else b""
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    data = stream.getvalue()
    pack: Any = draw(st.sampled_from([bytes, gzip.compress, zstd.compress]))
    whole = draw(st.booleans())
    return draw(fuzzing.damaged(pack(data))) if not whole else pack(draw(fuzzing.damaged(data)))


@fuzzing.bounded(80)
@given(layers=st.lists(archives(), max_size=3), cut=st.integers(0, 4))
def test_layers(layers: list[bytes], cut: int) -> None:
    request = {
        "folder": "/app",
        "layers": len(layers),
        "most_bytes": 1 << 20,
        "most_members": 50,
        "most_answered": 1 << 20,
        "texts": True,
    }
    pipe = b""
    for layer in layers:
        pipe += len(layer).to_bytes(4, "big") * bool(layer) + layer + bytes(4)
    head = json.dumps(request).encode() + b"\n"
    reply = layer_worker.answer(io.BytesIO(head + pipe[: max(len(pipe) - cut, 0)]))
    assert set(reply) in ({"files", "texts"}, {"fault"})
    for name in reply.get("files") or {}:  # type: ignore[attr-defined]  # it is a mapping or None
        assert "/" not in name
    json.dumps(reply).encode()


CHART = "apiVersion: v2\nname: auth\nversion: 1.0.0\n"
TEMPLATE = """{{- range $i, $e := .Values.a }}
kind: ConfigMap
apiVersion: v1
metadata: {name: {{ $e | quote }}}
data: {x: {{ .Files.Get "a" | toYaml | nindent 2 }}}
---
{{- end }}
{{ include "x" . }}{{ define "x" }}{{ tpl .Values.t . }}{{ end }}
"""
SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {"a": {"type": "array", "items": {"$ref": "#/$defs/x"}}},
    "$defs": {"x": {"type": "string", "pattern": "^(a|b)+$"}},
}


def packed(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


SUBCHART = packed(
    {"sub/Chart.yaml": CHART.replace("auth", "sub").encode(), "sub/values.yaml": b"a: [b]\n"}
)
FILES = {
    "Chart.yaml": CHART + "dependencies: [{name: sub, version: '*', repository: ''}]\n",
    "Chart.lock": "dependencies: []\ndigest: sha256:x\ngenerated: '2026-01-01T00:00:00Z'\n",
    "values.yaml": "a: [a, b]\nt: '{{ .Release.Name }}'\n",
    "values.schema.json": json.dumps(SCHEMA),
    "templates/a.yaml": TEMPLATE,
    "templates/_b.tpl": '{{ define "y" }}x{{ end }}',
    "crds/a.yaml": "kind: CustomResourceDefinition\nmetadata: {name: a}\n",
    "charts/sub.tgz": SUBCHART,
}


def is_whole(files: dict[str, bytes], values: bytes) -> bool:
    """Whether a chart is rendered, or refused in words and without objects; never half of it."""

    async def ask() -> list[pools.Answer]:
        release = pools.Release("auth", "services", (values,), "v1.35.0").alone
        async with pools.opened(1) as pool:
            return await pool.render(files, pools.Request([release], texts=True), chart="chart")

    with fuzzing.expected_errors():
        (answer,) = asyncio.run(ask())
        is_refused = answer.error is not None or bool(answer.missing or answer.beyond)
        return not (is_refused and answer.documents)
    return True


@fuzzing.bounded(30)
@given(
    name=st.sampled_from(sorted(FILES)), values=fuzzing.damaged("a: [a]\nt: x\n"), data=st.data()
)
def test_a_chart(name: str, values: bytes, data: st.DataObject) -> None:
    files = {
        path: text if isinstance(text, bytes) else text.encode() for path, text in FILES.items()
    }
    files[name] = data.draw(fuzzing.damaged(files[name]))
    assert is_whole(files, values)


@fuzzing.bounded(20)
@given(archive=archives())
def test_a_packed_chart(archive: bytes) -> None:
    assert is_whole({"Chart.yaml": CHART.encode(), "charts/x.tgz": archive}, b"")


def test_archives_of_charts_that_lead_elsewhere(tmp_path: Path) -> None:
    chart = CHART.replace("auth", "sub").encode()
    for odd in (
        {"/etc/Chart.yaml": chart},
        {"../sub/Chart.yaml": chart},
        {"sub/../../x": b"x", "sub/Chart.yaml": chart},
        {"sub/Chart.yaml": chart, "sub//Chart.yaml": b"name: other\n"},
        {"sub/Chart.yaml": chart, "other/Chart.yaml": chart},
        {"sub\\Chart.yaml": chart},
        {"sub/\0": b"", "sub/Chart.yaml": chart},
    ):
        assert is_whole({"Chart.yaml": CHART.encode(), "charts/x.tgz": packed(odd)}, b"")
    assert list(tmp_path.iterdir()) == []
