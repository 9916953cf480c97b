"""Programs that are run to their end, and what they say where they fail."""

from __future__ import annotations

import asyncio
import os

import pytest

from hanbae import errors
from hanbae.sandbox import calling


def test_a_failing_program_is_named_with_its_words() -> None:
    with pytest.raises(errors.Failed) as caught:
        calling.run(["sh", "-c", "echo no such thing >&2; exit 3"], environment=os.environ)
    assert caught.value.text.facts["output"] == "no such thing"


@pytest.mark.parametrize("name", ["INT", "TERM"])
def test_a_signal_that_ends_a_program_within_an_event_loop_is_no_failure_of_the_programs(
    name: str,
) -> None:
    async def main() -> None:
        calling.run(["sh", "-c", f"kill -{name} $$"], environment=os.environ)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
