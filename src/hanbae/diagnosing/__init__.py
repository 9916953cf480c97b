"""Symptom → cause → the exact next command, for objects that are in trouble.

Pure functions over objects as the API server gives them and the last lines of logs: nothing here reads a
cluster, waits or decides to stop.
"""
