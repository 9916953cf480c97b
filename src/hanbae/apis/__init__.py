"""Which APIs a version of Kubernetes serves, and what their objects look like.

The data is made by ``./dev apis`` from Kubernetes' own sources and shipped compressed; it is read when it is first
asked for, and only the definitions that a kind needs are decoded.
"""
