"""Lists at the top of a document that readers of YAML would read differently."""

from __future__ import annotations

import pytest

from hanbae import errors
from hanbae.charts import block_lists


@pytest.mark.parametrize("second", ["patches:\n  - c\n", "patches: []\n", "patches: {}\n"])
def test_a_list_that_is_there_twice_is_refused_at_the_second(second: str) -> None:
    text = f"patches:\n  - a\n  - b\n{second}"
    with pytest.raises(errors.FileFault) as caught:
        block_lists.read(text, "patches", "kustomization.yaml")
    assert str(caught.value.place) == "kustomization.yaml:4"
