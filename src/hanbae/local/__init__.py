"""The local environment: Docker Compose from what charts render, and how the two compare."""
