"""goose as the cluster runs it: which databases a chart migrates, which files, and what goose said.

No I/O and no database driver: the files come from a revision, the words from a Job's log.
"""
