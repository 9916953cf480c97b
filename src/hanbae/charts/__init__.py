"""Charts: how one is scaffolded, how its values are edited, and what it renders to."""
