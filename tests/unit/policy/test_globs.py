"""Patterns over paths of the repository, as ``rules:`` of the policy has them."""

from __future__ import annotations

import time

import pytest

from hanbae.policy import globs


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("charts/legacy", "charts/legacy/templates/job.yaml"),
        ("charts/legacy/", "charts/legacy/Chart.yaml"),
        ("charts/*/templates", "charts/a/templates/b/c.yaml"),
        ("**/*.sql", "a.sql"),
        ("**/*.sql", "services/auth/migrations/1.sql"),
        ("services/**/values-?.yaml", "services/values-a.yaml"),
        ("services/**/values-?.yaml", "services/a/b/values-a.yaml"),
        ("charts/**", "charts/a"),
        ("*", "anything/below"),
        ("**", "a"),
        ("a*b*c", "aXbbXcc"),
        ("hanbae.yaml", "hanbae.yaml"),
    ],
)
def test_pattern_matches_path(pattern: str, path: str) -> None:
    assert globs.matches(pattern, path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("charts/legacy", "charts/legacy2/Chart.yaml"),
        ("charts/legacy", "charts"),
        ("legacy", "charts/legacy/Chart.yaml"),
        ("charts/*.yaml", "charts/a/b.yaml"),
        ("charts/**", "charts"),
        ("values-?.yaml", "values-.yaml"),
        ("a?c", "a/c"),
        ("A", "a"),
    ],
)
def test_pattern_does_not_match_path(pattern: str, path: str) -> None:
    assert not globs.matches(pattern, path)


def test_no_pattern_takes_long() -> None:
    started = time.process_time()
    assert not globs.matches("*a" * 120 + "b", "a" * 4000)
    assert not globs.matches("**/" * 80 + "b", "a/" * 2000 + "a")
    # A backtracking matcher would need more than the age of the universe.
    assert time.process_time() - started < 60
