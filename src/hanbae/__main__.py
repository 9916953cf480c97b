"""``python -m hanbae`` is ``hanbae``."""

from __future__ import annotations

from hanbae.cli import entry

if __name__ == "__main__":
    entry.main()
