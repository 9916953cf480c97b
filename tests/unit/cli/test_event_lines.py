"""What a person is shown of a run, with and without a terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from hanbae import subjects, wording
from hanbae.cli import deployment_views
from hanbae.cli.text import catalogue, event_lines, live_view
from hanbae.engines import rollouts
from hanbae.results import events, plans

POD = subjects.Ref("Pod", "services-dev", "auth-1")
PLAN = plans.Plan(1, "auth", "dev", ())
OPENED = events.Opened(PLAN, "jiwon", "1" * 40)


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue is bound, whichever tests ran before."""
    monkeypatch.setenv("LANGUAGE", "en")
    catalogue.speak("en")


def event(fact: events.Fact, step: str | None = None) -> events.Event:
    return events.Event("d1", 1, datetime(2026, 11, 23, tzinfo=UTC), step, fact)


def lines(fact: events.Fact) -> list[tuple[str, str]]:
    return [(line.meaning, line.words) for line in event_lines.lines(event(fact))]


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b[2J\x1b[Hhidden",
        "\x1b]0;title\x07hidden",
        "\x1b]8;;http://evil\x1b\\hidden",
        "\x9b31mhidden",
        "hid\x08den\rhidden",
        "\x1bchidden",
    ],
)
def test_a_log_line_cannot_command_the_terminal(hostile: str) -> None:
    ((_, words),) = lines(events.Logged(POD, "app", hostile))
    assert "hidden" in words
    assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in words)


def test_a_cause_comes_with_its_log_and_a_command_that_can_be_pasted() -> None:
    cause = wording.Text("diagnosis.migration-failed", {"log": "first\nsecond"})
    command = ("kubectl", "get", "pod", "x", "-o", "jsonpath={.spec.imagePullSecrets}")
    shown = lines(events.Diagnosed(POD, cause, command, fatal=True))
    assert shown[0][0] == "fail"
    assert shown[1:3] == [("log", "first"), ("log", "second")]
    assert shown[3] == ("command", "kubectl get pod x -o 'jsonpath={.spec.imagePullSecrets}'")


def test_states_that_come_with_every_pod_are_left_out() -> None:
    assert lines(events.Observed(POD, "ContainerCreating")) == []
    assert lines(events.Intended("k")) == []
    assert lines(events.Observed(POD, "Ready")) == [("state", "Pod/auth-1: Ready")]


def test_without_a_terminal_each_line_says_what_it_is_about() -> None:
    written: list[str] = []
    with live_view.Plain(written.append) as view:
        view.event(event(OPENED))
        view.event(event(events.Logged(POD, "migrate", "OK")))
    assert all(line.startswith("auth dev ") for line in written)
    assert written[-1] == "auth dev │ migrate: OK"


@pytest.mark.parametrize("width", [30, 59, 60, 200])
def test_the_table_fits_any_terminal(width: int) -> None:
    stream = io.StringIO()
    view = live_view.View(stream, color=False, width=width)
    with view:
        view.event(event(OPENED))
        view.event(event(events.Observed(POD, "Running", "", "가나다 " * 40)))
        view.event(event(events.Logged(POD, "migrate", "[bold]not markup[/bold]")))
        view._console.print(view.table())
    from rich import cells

    # Log lines are shown as they were written; the terminal folds them, and a copy of them is whole.
    printed = [
        line for line in stream.getvalue().splitlines() if "\x1b" not in line and "│" not in line
    ]
    assert printed
    assert max(cells.cell_len(line) for line in printed) <= width
    assert "[bold]" in stream.getvalue()


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        (["succeeded", "succeeded"], 0),
        (["succeeded", "failed"], 1),
        (["refused", "failed"], 1),
        (["succeeded", "refused"], 5),
        (["succeeded", "unknown", "refused"], 4),
        (["superseded"], 1),
        (["running"], 1),
    ],
)
def test_the_gravest_outcome_decides_the_exit_code(outcomes: list[str], code: int) -> None:
    assert deployment_views.exit_code(outcomes) == code  # type: ignore[arg-type]


def test_where_a_database_stands_is_told_with_its_files_and_the_command_comes_last() -> None:
    migrated = events.Migrated("auth_db", 4, 2, 2, (2,), ("00002_x.sql",), failed="00003_y.sql")
    (line,) = event_lines.of_fact(migrated)
    assert line.meaning == "note"
    for part in ("auth_db", "version 2", "2 of 4", "00002_x.sql", "00003_y.sql"):
        assert part in line.words
    why = wording.Text("diagnosis.migration-hopeless", {"database": "auth_db", "log": "x"})
    command = ("hanbae", "history", "show", "d1")
    *_, last = event_lines.of_fact(events.Closed("failed", why, command))
    assert (last.meaning, last.words) == ("command", "hanbae history show d1")


def test_line_of_a_log_is_quoted_once_and_again_only_at_the_end() -> None:
    failing = "goose run: ERROR 00003_b.sql: failed"
    cause = wording.Text("diagnosis.migration-attempt", {"log": f"{failing}\nelsewhere"})
    facts: tuple[events.Fact, ...] = (
        OPENED,
        events.Logged(POD, "migrate", failing),
        events.Diagnosed(POD, cause, ("kubectl", "logs"), fatal=False),
        events.Diagnosed(POD, cause, ("kubectl", "logs"), fatal=False),
        events.Closed("failed", cause),
    )
    quoting = event_lines.Quoting()
    shown = [
        line.words for fact in facts for line in quoting.lines(event(fact)) if line.meaning == "log"
    ]
    assert shown == [f"migrate: {failing}", "elsewhere", failing, "elsewhere"]
    assert [line.words for line in event_lines.Quoting().lines(event(facts[2]))].count(failing) == 1


def test_fatal_cause_is_one_sentence_until_the_deployment_ends() -> None:
    cause = wording.Text("diagnosis.migration-hopeless", {"database": "auth_db", "log": "x"})
    command = ("hanbae", "history", "show", "d1")
    quoting = event_lines.Quoting()
    named = list(quoting.lines(event(events.Diagnosed(POD, cause, command, fatal=True))))
    assert [line.meaning for line in named] == ["fail"]
    ended = list(quoting.lines(event(events.Closed("failed", cause, command))))
    assert [line.meaning for line in ended] == ["fail", "log", "command"]


def test_command_of_a_cause_that_warns_again_is_shown_once() -> None:
    quoting = event_lines.Quoting()
    shown = [
        line.meaning
        for attempt in ("1", "2")
        for line in quoting.lines(
            event(
                events.Diagnosed(
                    POD,
                    wording.Text("diagnosis.migration-attempt", {"attempt": attempt}),
                    ("kubectl", "logs"),
                    fatal=False,
                )
            )
        )
    ]
    assert shown == ["warn", "command", "warn"]


WAITS = wording.Text("deploy.waits", {"deployment": "d0", "by": "mina", "since": "09:30"})
BEFORE: tuple[events.Fact, ...] = (
    OPENED,
    events.Noted(WAITS),
    events.Intended("k"),
    events.Observed(POD, "Running"),
    events.Diagnosed(POD, wording.Text("diagnosis.image-not-found"), ("kubectl",), fatal=False),
)


def shown(*facts: events.Fact) -> list[str]:
    """The lines of one deployment on a terminal's plain view."""
    written: list[str] = []
    with live_view.Plain(written.append) as view:
        for fact in facts:
            view.event(event(fact))
    return written


def test_what_is_refused_is_never_announced_as_begun() -> None:
    written = shown(*BEFORE, events.Closed("refused", wording.Text("deploy.busy", {"by": "mina"})))
    assert not [line for line in written if "Deploying" in line]
    assert written[-1].startswith("auth dev ✘")


@pytest.mark.parametrize(
    "fact",
    [
        events.Began("k", automated=False, revision="1" * 40),
        events.Logged(POD, "migrate", "OK"),
        events.Closed("failed", wording.Text("deploy.done")),
        events.Closed("unknown", wording.Text("deploy.done")),
    ],
)
def test_what_begins_is_announced_once_with_its_id_before_the_first_thing_that_it_does(
    fact: events.Fact,
) -> None:
    written = shown(*BEFORE, fact, fact)
    (announced,) = [index for index, line in enumerate(written) if "Deploying" in line]
    assert "(deployment d1)" in written[announced]
    assert announced == len(shown(*BEFORE))


def test_row_of_a_deployment_says_what_it_waits_for_before_it_begins() -> None:
    view = live_view.View(io.StringIO(), color=False, width=80)
    view.event(event(OPENED))
    with view._console.capture() as captured:
        view._console.print(view.table())
    assert "Preparing the deployment to dev" in captured.get()


def test_record_is_named_when_a_deployment_has_ended_and_not_while_it_is_watched() -> None:
    show = ("hanbae", "history", "show", "d1")
    cause = wording.Text("diagnosis.job-failed")
    quoting = event_lines.Quoting()
    watched = quoting.lines(event(events.Diagnosed(POD, cause, show, fatal=False)))
    assert [line.meaning for line in watched] == ["warn"]
    *_, last = quoting.lines(event(events.Closed("failed", cause, show)))
    assert last.words == "hanbae history show d1"


ENDED = events.Closed("failed", wording.Text("deploy.done"), ("hanbae", "deploy", "auth"))


def test_command_that_cures_comes_after_the_table_when_one_service_is_deployed() -> None:
    written: list[str] = []
    plain = live_view.Plain(written.append, concludes=True)
    stream = io.StringIO()
    view = live_view.View(stream, color=False, width=80, concludes=True)
    with plain, view:
        for fact in (OPENED, events.Began("k", automated=False, revision="1" * 40), ENDED):
            plain.event(event(fact))
            view.event(event(fact))
    assert not [line for line in written if "→" in line]
    assert "→ hanbae deploy auth" not in stream.getvalue()
    for _ in range(2):  # the second time nothing is left to be said
        plain.conclude()
        view.conclude()
    assert [line for line in written if "→" in line] == [written[-1]]
    assert written[-1] == "auth dev → hanbae deploy auth"
    assert stream.getvalue().splitlines()[-1].strip() == "auth dev → hanbae deploy auth"
    assert stream.getvalue().count("→ hanbae deploy auth") == 1


@pytest.mark.parametrize(
    ("status", "korean"),
    [
        ({"observedGeneration": 1}, "새 파드 2개 중 0개"),
        (
            {"observedGeneration": 2, "updatedReplicas": 1, "replicas": 1, "availableReplicas": 1},
            "새 파드 2개 중 1개, 준비됨 1개",
        ),
        (
            {"observedGeneration": 2, "updatedReplicas": 1, "replicas": 3, "availableReplicas": 2},
            "새 파드 2개 중 1개, 준비됨 2개, 끝낼 이전 파드 2개",
        ),
    ],
)
def test_counts_of_pods_are_said_in_the_language_that_is_spoken(
    status: dict[str, int], korean: str
) -> None:
    counts = rollouts.progress(
        {
            "kind": "Deployment",
            "metadata": {"generation": 2},
            "spec": {"replicas": 2},
            "status": status,
        }
    ).message
    observed = events.Observed(subjects.Ref("Deployment", "a", "b"), "Progressing", "", counts)
    awaited = wording.Text("deploy.awaits-rollout", {"object": "x", "progress": counts})
    assert counts in event_lines.short(observed)
    assert counts in catalogue.sentence(awaited)
    catalogue.speak("ko")
    assert korean in event_lines.short(observed)
    assert korean in catalogue.sentence(awaited)
    assert catalogue.pods("3 of 4 newts") == "3 of 4 newts"


def test_that_helm_deploys_is_said_where_a_deployment_begins() -> None:
    quoting = event_lines.Quoting()
    does = plans.Upgrade("auth-service", "1" * 40)
    plan = plans.Plan(1, "auth", "dev", (plans.Step("sync", does),))
    began = events.Began("key", False, "1" * 40)
    shown = [
        line.words
        for fact in (events.Opened(plan, "jiwon", "1" * 40), began)
        for line in quoting.lines(event(fact))
    ]
    assert shown[-1] == "The deployment with Helm has begun"
    assert not any("sync" in words for words in shown)
