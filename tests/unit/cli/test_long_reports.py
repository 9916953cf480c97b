"""Reports of thousands of findings: what is the same in all of them is worked out once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hanbae import subjects, wording
from hanbae.actions import check
from hanbae.cli import reports
from hanbae.cli.reports import document, finding_lines
from hanbae.cli.text import catalogue, escaping, indexed_catalogues, wrapping
from hanbae.results import findings

FIX = wording.Text("rule.kub011-fix")


def finding(number: int, file: str = "a.yaml") -> findings.Finding:
    text = wording.Text(
        "rule.kub011-found", {"object": f"o{number}", "container": "app", "missing": "requests.cpu"}
    )
    return findings.Finding("KUB011", "warning", subjects.Place(file, number), text, fix=FIX)


def report(*collected: findings.Finding) -> reports.Report:
    why = wording.Text("rule.kub011-why")
    about = {"KUB011": check.About(FIX, why, FIX, "warning", "kubernetes", "")}
    return reports.Report(check.Result(collected, ("auth",), ("dev",), 1, about=about))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The messages that are searched for, and the texts that are laid out in lines."""
    monkeypatch.setenv("LANGUAGE", "en")
    catalogue.speak("en")
    catalogue._looked_up.cache_clear()
    finding_lines.wrapped.cache_clear()
    calls: list[str] = []
    gettext, wrap = indexed_catalogues.Translations.gettext, wrapping.wrap

    def searched(translations: indexed_catalogues.Translations, message: str) -> str:
        calls.append(message)
        return gettext(translations, message)

    def laid_out(text: str, columns: int, **options: Any) -> list[str]:
        calls.append(text)
        return wrap(text, columns, **options)

    monkeypatch.setattr(indexed_catalogues.Translations, "gettext", searched)
    monkeypatch.setattr(wrapping, "wrap", laid_out)
    return calls


def test_words_and_lines_of_like_findings_are_made_once(calls: list[str]) -> None:
    text = reports.written(report(*map(finding, range(1, 500))), "text")
    assert text.count("the container app lack requests.cpu") == 499
    assert calls.count("rule.kub011-found") == 1
    assert calls.count(escaping.sentence(FIX)) == 1


def test_json_goes_through_each_text_only_for_a_name_that_is_no_utf8(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    walked: list[Any] = []
    whole = document._whole

    def recorded(value: Any) -> Any:
        walked.append(value)
        return whole(value)

    monkeypatch.setattr(document, "_whole", recorded)
    assert json.loads(reports.written(report(finding(1)), "json"))["findings"]
    assert not walked
    odd = json.loads(reports.written(report(finding(1, "\udce4.yaml")), "json"))
    assert odd["findings"][0]["place"]["file"] == "\ufffd.yaml"
    assert walked
