"""What of a scaffolded chart depends on where its secrets are: sealed in its values, or in a store."""

from __future__ import annotations

from collections.abc import Mapping

from hanbae import errors
from hanbae.charts import filling
from hanbae.policy import documents, naming


def template(policy: documents.Policy) -> str:
    """The template that makes the Secret."""
    return f"{_kind(policy)}-secret.yaml"


def facts(policy: documents.Policy, name: Mapping[str, str]) -> dict[str, str]:
    """What the templates and the schema of a chart are given.

    Args:
        policy: The policy.
        name: How charts work out the Secret's name, as the templates are given it.
    """
    are_external = policy.secrets.are_external
    values = (
        "(.Values.externalSecret).keys | default list"
        if are_external
        else "(.Values.sealedSecret).encryptedData | default dict"
    )
    return {
        "secret_variable": "keys" if are_external else "sealed",
        "secret_values": values,
        "secret_checksum": _part(policy, "checksum.yaml"),
        "secret_restart": _part(policy, "restart.yaml", name) if are_external else "",
        "secret_schema": _part(policy, "schema.json"),
    }


def values(
    policy: documents.Policy, service: str, environment: str, facts: Mapping[str, str]
) -> dict[str, str]:
    """What a values file of an environment is given.

    Args:
        policy: The policy.
        service: The service.
        environment: The environment.
        facts: What all of the chart is given.

    Raises:
        errors.WrongUse: The secrets are in a store, and the policy does not say in which.
    """
    more: dict[str, str] = {}
    if policy.secrets.are_external:
        if policy.secrets.store is None:
            raise errors.WrongUse("new.no-store")
        kind, _, store = policy.secrets.store.partition("/")
        more = {
            "store_kind": kind,
            "store_name": naming.filled(store, service, environment),
            "store_entry": naming.filled(policy.secrets.entry, service, environment),
        }
    return {
        "env_comment": _part(policy, "env.yaml"),
        "secret_section": _part(policy, "values.yaml", {**facts, **more}),
    }


def _part(policy: documents.Policy, name: str, facts: Mapping[str, str] | None = None) -> str:
    part = f"service/parts/{_kind(policy)}-{name}"
    return filling.filled(part, policy.language, facts or {}).rstrip("\n")


def _kind(policy: documents.Policy) -> str:
    return "external" if policy.secrets.are_external else "sealed"
