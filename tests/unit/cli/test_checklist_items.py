"""A checklist with its evidence in each format, with foreign words in it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hanbae import wording
from hanbae.cli.reports import checklist_items
from hanbae.cli.text import catalogue
from hanbae.results import checklists

LOG = "panic: <b>\x1b[31m\nsecond"
UNCLEAN = {"pod": "auth-1", "container": "app", "lines": "2", "log": LOG}
CHECKLIST = checklists.Checklist(
    "auth",
    "dev",
    "a" * 40,
    (
        checklists.Checked(
            "after",
            (
                checklists.Decision(
                    "logs-clean",
                    "",
                    "logs-clean",
                    "failed",
                    (wording.Text("gate.log-unclean", UNCLEAN),),
                    ("kubectl", "logs", "auth-1"),
                ),
                checklists.Decision("notes", "*Written* <b>", "person", "attested", by="ann"),
                checklists.Decision(
                    "api-tested", "", "api-tested", "waived", by="ann", why="maintenance"
                ),
                checklists.Decision(
                    "health-checked",
                    "",
                    "person",
                    "undecided",
                    (wording.Text("gate.unattested"),),
                ),
            ),
        ),
    ),
)


def test_text_shows_each_item_with_what_was_seen() -> None:
    catalogue.speak("en")
    shown = [f"{line.head}{line.words}" for line in checklist_items.lines(CHECKLIST)]
    assert shown[0] == "After the deployment"
    assert any("The pods' logs are clean. · failed" in line for line in shown)
    assert "      │ panic: <b>" in shown, "nothing that steers a terminal"
    assert "      │ second" in shown
    assert "      → kubectl logs auth-1" in shown
    assert "      ann · maintenance" in shown


def test_markdown_is_a_task_list_that_no_foreign_word_can_break() -> None:
    catalogue.speak("ko")
    shown = checklist_items.markdown(CHECKLIST)
    catalogue.speak("en")
    assert "- [ ] 파드 로그가 깨끗합니다. — **실패**" in shown
    assert "- [x] \\*Written\\* &lt;b> — **확인됨**" in shown
    assert "<b>" not in shown


def test_junit_counts_failures_and_skips_what_nobody_decided() -> None:
    catalogue.speak("en")
    (suite,) = ET.fromstring(checklist_items.junit(CHECKLIST))  # noqa: S314  our own
    assert suite.attrib["tests"] == "4"
    assert (suite.attrib["failures"], suite.attrib["skipped"]) == ("1", "2")
    (failure,) = suite.iter("failure")
    assert failure.attrib["type"] == "logs-clean"
    assert "panic:" in str(failure.text)
