"""Errors of Kustomize, as it and kubectl write them."""

from __future__ import annotations

from pathlib import Path

from hanbae.planning import kustomize

LOGGED = (
    'E1128 20:47:31.359071    9033 run.go:72] "command failed" err="couldn\'t make target for path '
    '\'/tmp/b/apps/dev\': invalid Kustomization: json: unknown field \\"imagez\\""\n'
)
PLAIN = "couldn't make target for path 'apps/dev': invalid Kustomization: json: unknown field \"imagez\""


def test_an_error_has_no_time_and_no_process() -> None:
    assert kustomize.words(LOGGED.encode(), Path("/tmp/b")) == PLAIN  # noqa: S108  as it is written
    assert kustomize.words(f"Error: {PLAIN}\n".encode(), Path("/tmp/b")) == PLAIN  # noqa: S108
