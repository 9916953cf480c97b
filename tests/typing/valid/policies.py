"""A policy is loaded and read without a cast."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import hanbae


def branches(folder: Path) -> dict[str, str | None]:
    loaded = hanbae.load_policy(hanbae.find_policy(folder))
    assert_type(loaded, hanbae.LoadedPolicy)
    assert_type(loaded.policy, hanbae.Policy)
    assert_type(loaded.place("argocd.repository"), hanbae.Place)
    return {name: environment.branch for name, environment in loaded.policy.environments.items()}


def line(folder: Path) -> int:
    try:
        branches(folder)
    except hanbae.FileFault as fault:
        assert_type(fault.text, hanbae.Text)
        return fault.place.line if fault.place else 0
    except hanbae.Error as error:
        return error.exit_code
    return 0


assert_type(hanbae.__version__, str)
