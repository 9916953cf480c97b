from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hanbae import masking, subjects, wording
from hanbae.deploying import recording
from hanbae.history import stores
from hanbae.results import events, plans
from hanbae.streams import channels

POD = subjects.Ref("Pod", "services-dev", "auth-1")
SECRET = "correct-horse-battery"
TEXT = wording.Text("x", {"message": f"it is {SECRET}"})
FOREIGN = [
    events.Observed(POD, "Failed", SECRET, f"it is {SECRET}"),
    events.Logged(POD, "migrate", f"it is {SECRET}"),
    events.Diagnosed(POD, TEXT, ("kubectl",), True),
    events.Noted(TEXT),
    events.Closed("failed", TEXT),
]


@pytest.mark.parametrize("fact", FOREIGN, ids=lambda fact: type(fact).__name__)
def test_no_fact_carries_a_secret(fact: events.Fact) -> None:
    redact = masking.Redactor([masking.Masked(SECRET.encode())])
    assert SECRET in str(fact)
    assert SECRET not in str(recording.masked(fact, redact))


async def test_an_event_is_in_the_history_before_it_is_shown_and_masked_in_both(
    tmp_path: Path,
) -> None:
    channel: channels.Channel[events.Event] = channels.Channel()
    with stores.open_store(f"sqlite:///{tmp_path}/history.db") as store:
        record = recording.Record(store, "d1", channel, lambda: datetime.now(UTC))
        record.redact = masking.Redactor([masking.Masked(SECRET.encode())])
        plan = plans.Plan(1, "auth", "dev", ())
        await record.add(None, events.Opened(plan, "jiwon", "1" * 40))
        await record.add("sync", FOREIGN[1])
        shown = channel.read()
        for committed in store.events("d1"):
            assert await anext(shown) == committed
        (line,) = record.logs[POD, "migrate"]
        assert SECRET not in line
    assert SECRET.encode() not in _files(tmp_path)


def _files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())
