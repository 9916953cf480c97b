"""Overlays build offline, with the policy's namespaces and nothing from elsewhere."""
