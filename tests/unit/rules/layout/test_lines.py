"""Lines of findings are those of git, whatever else ends a line elsewhere, and counting them takes no longer."""

from __future__ import annotations

import time

import pytest
from tests.support.releases import project, release

from hanbae import subjects
from hanbae.rules.environments import texts
from hanbae.rules.layout import documents, keys

CHART = "services/auth/helm"


@pytest.mark.parametrize("end", ["\f", "\x85", "\u2028", "\r"])
def test_template_that_reads_a_key_is_told_at_its_line(end: str) -> None:
    template = f"# a{end}b\nc: {{{{ .Values.b }}}}\n"
    files = {f"{CHART}/values.yaml.example": "a: 1\nb: 2\n", f"{CHART}/templates/x.yaml": template}
    view = release((), {"a": 1}, of=project(files))
    (hit,) = keys.only_in_example(view.service)
    assert hit.place == subjects.Place(f"{CHART}/templates/x.yaml", 2)


@pytest.mark.parametrize("end", ["\f", "\x85", "\u2028", "\r"])
def test_document_differs_at_its_line(end: str) -> None:
    assert documents._first_difference(f"a{end}b\nc\n", f"a{end}b\nd\n") == 2


def test_defaults_of_a_long_template_are_found_soon() -> None:
    call = "{{ .Values.enabled | default true }}\n"
    text = f"{call * 40_000}"
    view = release((), {"enabled": False}, of=project({f"{CHART}/templates/x.yaml": text}))
    began = time.process_time()
    places = [hit.place for hit in texts.overruled(view)]
    assert time.process_time() - began < 4
    assert places[-1] == subjects.Place(f"{CHART}/templates/x.yaml", 40_000)


def test_defaults_are_told_in_their_order_and_none_within_another() -> None:
    template = """{{ or .Values.c 3 }}{{ .Values.a | default true .Values.b }}
{{ default 5 .Values.b }}{{ xor .Values.d 3 }}
{{ coalesce ($.Values.e) 4 }}{{ coalesce $.Values.c "4" }}{{ .Values.b
 | default "7" }}
"""
    view = release(
        (), dict.fromkeys("abcde", 0), of=project({f"{CHART}/templates/x.yaml": template})
    )
    defaults = [
        (hit.place.line, hit.facts["key"], hit.facts["default"]) for hit in texts.overruled(view)
    ]
    assert defaults == [
        (1, "c", "3"),
        (1, "a", "true"),
        (2, "b", "5"),
        (3, "c", "4"),
        (3, "b", "7"),
    ]
