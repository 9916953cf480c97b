"""What tests are built with, ours and those of people who build on hanbae: builders of data, never fakes of systems."""

from __future__ import annotations
