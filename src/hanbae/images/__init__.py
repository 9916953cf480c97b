"""Container images: their names, their registries, and how one is made without a daemon."""
