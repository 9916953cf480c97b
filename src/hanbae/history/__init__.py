"""What happened: the record of every deployment, written before it is shown."""

from __future__ import annotations
