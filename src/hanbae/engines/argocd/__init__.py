"""Argo CD as an engine: its operations, through its objects or through its API."""
