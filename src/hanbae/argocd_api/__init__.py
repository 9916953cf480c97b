"""Argo CD's own API, for teams that let nobody write its objects: its RBAC, its sync windows and its audit apply."""
