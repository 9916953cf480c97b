"""Roles and bindings (``pkg/apis/rbac/validation`` of Kubernetes)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hanbae import patterns
from hanbae.rules.kubernetes import shapes
from hanbae.rules.kubernetes.validation import refusals

_GROUP: Final = "rbac.authorization.k8s.io"
_ACCOUNT: Final = patterns.lazy(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def role(data: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """A whole Role: its rules are about resources of its namespace."""
    for index, rule in shapes.entries(data.get("rules")):
        place = (*pointer, "rules", index)
        if rule.get("nonResourceURLs"):
            yield refusals.beside((*place, "nonResourceURLs"), "kind: Role")
        else:
            yield from _of_resources(rule, place)


def cluster_role(data: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """A whole ClusterRole: each rule is about resources or about URLs."""
    for index, rule in shapes.entries(data.get("rules")):
        place = (*pointer, "rules", index)
        if not rule.get("nonResourceURLs"):
            yield from _of_resources(rule, place)
            continue
        for name in ("apiGroups", "resources", "resourceNames"):
            if rule.get(name):
                yield refusals.beside((*place, name), "nonResourceURLs")
    aggregation = data.get("aggregationRule")
    if isinstance(aggregation, dict) and not aggregation.get("clusterRoleSelectors"):
        place = (*pointer, "aggregationRule")
        yield refusals.missing(place, "clusterRoleSelectors", "aggregationRule")


def _of_resources(rule: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    for name in ("apiGroups", "resources"):
        if not rule.get(name):
            yield refusals.missing(pointer, name, "rules")


def binding(data: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """A whole RoleBinding: what its subjects are called, and of which group they are."""
    for index, subject in shapes.entries(data.get("subjects")):
        place = (*pointer, "subjects", index)
        kind, group, name = (subject.get(key) for key in ("kind", "apiGroup", "name"))
        expected = "" if kind == "ServiceAccount" else _GROUP
        if group and group != expected:
            yield refusals.invalid((*place, "apiGroup"), group, expected or '""')
        account = kind == "ServiceAccount" and isinstance(name, str) and bool(name)
        if account and not _ACCOUNT.fullmatch(str(name)):
            yield refusals.invalid((*place, "name"), name, "web")


def cluster_binding(data: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """A whole ClusterRoleBinding: it has no namespace that a subject could be in by default."""
    yield from binding(data, pointer)
    for index, subject in shapes.entries(data.get("subjects")):
        if subject.get("kind") == "ServiceAccount" and not subject.get("namespace"):
            yield refusals.missing(
                (*pointer, "subjects", index), "namespace", "kind: ServiceAccount"
            )
