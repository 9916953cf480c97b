"""Tells others of deployments, and delays none of them: whoever does not answer is left behind."""

from __future__ import annotations
