"""hanbae (한배): turns a written deployment policy into a working system."""

from __future__ import annotations
