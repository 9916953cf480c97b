"""``python -m hanbae`` is ``hanbae``."""

from __future__ import annotations

from hanbae.cli import main

if __name__ == "__main__":
    main.main()
