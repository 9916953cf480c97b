"""goose's files, their order across branches, and the databases that a chart declares."""
