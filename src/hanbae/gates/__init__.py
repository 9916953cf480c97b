"""The gates of the checklists: each decides one item, from what it can see, and keeps what it saw."""
