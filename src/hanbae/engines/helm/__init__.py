"""Deploys with Helm itself, without Argo CD."""
