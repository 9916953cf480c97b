"""A plan of what cannot begin: the refusal first, and no duration."""

from __future__ import annotations

import msgspec
import pytest

from hanbae import subjects, wording
from hanbae.cli.reports import plan_terminal
from hanbae.cli.text import catalogue
from hanbae.results import plans, previews

REFUSAL = wording.Text(
    "preflight.image-missing", {"service": "auth", "environment": "dev", "image": "auth:1"}
)
NOTE = wording.Text("preflight.image-unchecked", {"service": "auth", "environment": "dev"})
CHANGE = plans.Change(subjects.Ref("Deployment", "services-dev", "auth"), "created")
PREVIEW = previews.Preview(
    plans.Plan(1, "auth", "dev", (), forecast=(CHANGE,)),
    "0" * 40,
    "hanbae",
    (),
    (),
    previews.Estimate(4, 29),
    (REFUSAL, NOTE),
    (REFUSAL,),
)


def test_a_refusal_is_the_first_line_and_nothing_is_timed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    catalogue.speak("en")
    plan_terminal.live([PREVIEW])
    title, refusal, *rest = capsys.readouterr().out.splitlines()
    assert title.startswith("auth → dev")
    assert refusal.startswith("  ✘ auth dev: the registry does not have auth:1.")
    assert "Nothing was changed" not in refusal
    assert not any("About" in line or "does not have" in line for line in rest)


def test_what_can_begin_is_timed(capsys: pytest.CaptureFixture[str]) -> None:
    catalogue.speak("en")
    plan_terminal.live([msgspec.structs.replace(PREVIEW, notes=(NOTE,), refusals=())])
    assert "About 29 s" in capsys.readouterr().out


def test_promises_of_a_saved_plan_are_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    catalogue.speak("en")
    guards = (
        plans.Guard("branch-head:main", "3305404a" * 5),
        plans.Guard("image:Deployment/services-dev/auth:app", "auth:1"),
        plans.Guard("branch-contains:release", "0f5e6c1d" * 5),
        plans.Guard("of-a-newer:hanbae", "x"),
        plans.Guard("image:of-no-workload:app", "auth:2"),
        plans.Guard("cluster", "c1u5"),
    )
    plan = msgspec.structs.replace(PREVIEW.plan, guards=guards)
    plan_terminal.live([msgspec.structs.replace(PREVIEW, plan=plan)], promises=True)
    shown = capsys.readouterr().out
    assert "Is deployed only while the head of main is 3305404a3305." in shown
    assert "Is to run in the end, in Deployment/services-dev/auth:app: auth:1" in shown
    assert "Is deployed only while release contains 0f5e6c1d0f5e." in shown
    # What has no sentence, and what cannot be read, is shown as it is stored.
    assert "Promise of-a-newer:hanbae: x" in shown
    assert "Promise image:of-no-workload:app: auth:2" in shown
    assert "Promise cluster: c1u5" in shown
    assert "branch-head" not in shown


@pytest.mark.parametrize("language", ["en", "ko"])
def test_helms_plan_has_helms_steps_and_no_word_of_argo_cds(
    capsys: pytest.CaptureFixture[str], language: str
) -> None:
    catalogue.speak(language)
    sealed = subjects.Ref("SealedSecret", "services-dev", "auth-secrets")
    migrate = subjects.Ref("Job", "services-dev", "auth-migrate")
    later = subjects.Ref("Job", "services-dev", "auth-warm")
    does = plans.Upgrade("auth-service", "0" * 40, (sealed,), (migrate,), (later,))
    plan = msgspec.structs.replace(PREVIEW.plan, steps=(plans.Step("sync", does),))
    preview = msgspec.structs.replace(
        PREVIEW, plan=plan, estimate=previews.Estimate(0, 29), notes=(), refusals=()
    )
    plan_terminal.live([preview])
    shown = capsys.readouterr().out
    catalogue.speak("en")
    places = [
        shown.index(text)
        for text in (str(sealed), str(migrate), "helm upgrade --install auth-service", str(later))
    ]
    assert places == sorted(places)
    assert "29" in shown
    for word in ("wave", "Sync,", "동기화", "Argo"):
        assert word not in shown.replace("SealedSecret", "")
