"""What changes an environment, and the eyes that follow it: engines see and act, they never explain."""
