"""Rehearsing migrations on a PostgreSQL that nobody needs: ways up and back, locks, rewrites, time."""
