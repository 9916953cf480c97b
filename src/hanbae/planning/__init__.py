"""What is going to happen, worked out from a revision before anything does."""
