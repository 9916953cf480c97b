"""The types that cross borders: plans, events, deployments, findings.

One model for CLI JSON, HTTP API, dashboard and history.
Everything here is data: frozen msgspec structs, no I/O.
"""
