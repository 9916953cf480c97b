"""Adopts a repository that hanbae did not lay: what is in it, and the policy that says so."""
