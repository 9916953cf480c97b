"""The typed content of ``hanbae.yaml``, and the names that follow from it."""
