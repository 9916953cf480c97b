"""The embedded cluster: a whole real Kubernetes with Argo CD on one Linux machine, from package registries only.

`running` is the door for Python callers, `binaries` gets the programs, `components` has the whole graph on one page,
and `init` is what runs as process 1 inside.
This module imports nothing, because `init` is started from this folder without hanbae's dependencies.
"""
