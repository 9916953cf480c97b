"""Kubernetes' reader of YAML, also Helm's and Argo CD's: the renderer reads a document as it reads what it makes."""

from __future__ import annotations

import asyncio
from typing import Any, Self

from hanbae.charts import pools

_CHART = {"Chart.yaml": b"apiVersion: v2\nname: a\nversion: 1.0.0\n"}
_REQUEST = pools.Request([pools.Release("r", "n")])


class Reader:
    """Reads one document after the other; used by its scope only."""

    def __enter__(self) -> Self:
        self._runner = asyncio.Runner()
        self._scope = pools.opened(1)
        self._pool = self._runner.run(self._scope.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._scope.__aexit__(None, None, None))
        self._runner.close()

    def read(self, document: bytes) -> Any:
        """The object in a document, as JSON has it."""
        files = _CHART | {"crds/a.yaml": document}
        (answer,) = self._runner.run(self._pool.render(files, _REQUEST, chart="a"))
        assert answer.error is None, answer.error
        ((_, content),) = answer.documents
        return content
