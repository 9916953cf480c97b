"""Errors of Kustomize, as it and kubectl write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hanbae import errors
from hanbae.planning import kustomize

LOGGED = (
    'E1128 20:47:31.359071    9033 run.go:72] "command failed" err="couldn\'t make target for path '
    '\'/tmp/b/apps/dev\': invalid Kustomization: json: unknown field \\"imagez\\""\n'
)
PLAIN = "couldn't make target for path 'apps/dev': invalid Kustomization: json: unknown field \"imagez\""


def test_an_error_has_no_time_and_no_process() -> None:
    assert kustomize.words(LOGGED.encode(), Path("/tmp/b")) == PLAIN  # noqa: S108  as it is written
    assert kustomize.words(f"Error: {PLAIN}\n".encode(), Path("/tmp/b")) == PLAIN  # noqa: S108


async def test_a_program_that_does_not_start_is_named(tmp_path: Path) -> None:
    path = tmp_path / "kustomize"
    path.write_text("no program of this machine")
    path.chmod(0o755)
    files = {"o/kustomization.yaml": b"namePrefix: a-\n"}
    with pytest.raises(errors.Lacking) as caught:
        await kustomize.output((str(path), "build"), files, "o")
    facts = {"program": str(path), "why": "Exec format error"}
    assert (caught.value.text.id, caught.value.text.facts) == ("main.unstarted", facts)
    path.unlink()
    with pytest.raises(errors.Lacking, match=r"main\.unstarted"):
        await kustomize.output((str(path), "build"), files, "o")
