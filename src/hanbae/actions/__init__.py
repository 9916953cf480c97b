"""One verb per module: what the CLI, and whoever uses hanbae as a library, calls."""
