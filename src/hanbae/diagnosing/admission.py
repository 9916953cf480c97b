"""Why a controller may not create its pods: pod security, a quota, a missing service account, a webhook.

There is no pod to describe then; the only traces are an Event and a condition, which is why this is the failure
that people search for longest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import msgspec

from hanbae import patterns, subjects
from hanbae.apis import quantities
from hanbae.diagnosing import pictures

_POD_SECURITY: Final = patterns.lazy(
    r'violates PodSecurity "(?P<level>[^"]+)": (?P<what>.*)', re.DOTALL
)
_QUOTA: Final = patterns.lazy(r"exceeded quota: (?P<quota>[^,]+), (?P<what>.*)", re.DOTALL)
_SPENT: Final = patterns.lazy(
    r"requested: (?P<requested>[^ ]{1,2000}), used: [^ ]{1,2000}, limited: (?P<limited>[^ ]{1,2000})"
)
# Of a LimitRange, and of a quota that counts what the pods do not say.
_LIMITS: Final = patterns.lazy(
    r"is forbidden: \[?(?P<what>(?:minimum|maximum) [^ ]{1,200} usage per \w{1,40} is .*"
    r"|[^ ]{1,200} max limit to request ratio per .*)",
    re.DOTALL,
)
_UNSAID: Final = patterns.lazy(
    r"is forbidden: failed quota: (?P<quota>[^:]{1,253}): (?P<what>must specify .*)", re.DOTALL
)
_ACCOUNT: Final = patterns.lazy(r'serviceaccount "(?P<name>[^"]+)" not found')
_WEBHOOK: Final = patterns.lazy(
    r'admission webhook "(?P<name>[^"]+)" denied the request: (?P<what>.*)', re.DOTALL
)
_POLICY: Final = patterns.lazy(
    r"ValidatingAdmissionPolicy '(?P<name>[^']+)'.*? denied request: (?P<what>.*)", re.DOTALL
)
_WEBHOOK_SILENT: Final = patterns.lazy(
    r'failed calling webhook "(?P<name>[^"]+)": (?P<what>.*)', re.DOTALL
)

# Bounds patterns such as `_POLICY`, which look through the rest of a text anew from each place
# where they may begin.
_LONGEST: Final = 4096
"""Characters of a message that are looked at; webhooks write what they like."""


def causes(
    picture: pictures.Picture, controller: subjects.Ref, owner: subjects.Ref
) -> Iterator[pictures.Cause]:
    """The cause that a Job or ReplicaSet has no pods, if admission is it.

    Args:
        picture: The moment.
        controller: What creates the pods.
        owner: What people deploy: the Job itself, or the ReplicaSet's Deployment.
    """
    live_controller = picture.objects.get(controller)
    if live_controller is None or picture.pods_of(controller):
        # Once there is a pod, admission is not what is in the way; the pod itself says more.
        return
    warnings = picture.events(controller, "FailedCreate")
    if warnings:
        yield _cause(warnings[-1].get("message") or "", controller, owner)
        return
    failure = pictures.condition(live_controller, "ReplicaFailure")
    if failure.get("status") == "True":
        cause = _cause(failure.get("message") or "", controller, owner)
        # It stays until the controller has tried again: what refused an earlier attempt may be gone since.
        mild = msgspec.structs.replace(cause.diagnosis, fatal=False)
        yield msgspec.structs.replace(cause, diagnosis=mild)


def _of_amounts(message: str, owner: subjects.Ref, facts: dict[str, str]) -> pictures.Cause | None:
    """The cause where a quota or the limits of a namespace refuse what pods ask for."""
    quota = _QUOTA.search(message)
    if quota:
        facts |= {"quota": quota["quota"], "message": quota["what"]}
        command = ("kubectl", "describe", "resourcequota", quota["quota"], "-n", owner.namespace)
        if _asks_for_more_than_all(quota["what"]):
            text_id = "diagnosis.quota-too-small"
            return pictures.cause(owner, text_id, facts, command, fatal=True, owner=owner)
        # Pods that end may give the quota back, so waiting is of use.
        return pictures.cause(owner, "diagnosis.quota", facts, command, fatal=False, owner=owner)
    limits = _UNSAID.search(message) or _LIMITS.search(message)
    if limits:
        name = limits.groupdict().get("quota")
        about = ("resourcequota", name) if name else ("limitrange",)
        # Several refusals come as one list in brackets.
        facts |= {"message": limits["what"].removesuffix("]")}
        command = ("kubectl", "describe", *about, "-n", owner.namespace)
        text_id = "diagnosis.beyond-limits"
        return pictures.cause(owner, text_id, facts, command, fatal=True, owner=owner)
    return None


def _asks_for_more_than_all(message: str) -> bool:
    """Whether one pod asks for more than a quota allows for all: no pod that ends makes room for it."""
    spent = _SPENT.search(message)
    if spent is None:
        return False
    requested, limited = (_amounts(spent[name]) for name in ("requested", "limited"))
    return any(amount > limited[name] for name, amount in requested.items() if name in limited)


def _amounts(listed: str) -> dict[str, Decimal]:
    """``requests.cpu=64,pods=1`` as quantities by resource."""
    parts = (part.partition("=") for part in listed.split(","))
    amounts = {name: quantities.quantity(value) for name, _, value in parts}
    return {name: amount for name, amount in amounts.items() if amount is not None}


def _cause(message: str, controller: subjects.Ref, owner: subjects.Ref) -> pictures.Cause:
    message = message[:_LONGEST]
    describe = ("kubectl", "describe", owner.kind.lower(), owner.name, "-n", owner.namespace)
    events = (
        "kubectl",
        "describe",
        controller.kind.lower(),
        controller.name,
        "-n",
        owner.namespace,
    )
    facts = {"object": str(owner), "namespace": owner.namespace, "message": message}
    security = _POD_SECURITY.search(message)
    if security:
        facts |= {"level": security["level"], "message": security["what"]}
        return pictures.cause(
            owner, "diagnosis.pod-security", facts, describe, fatal=True, owner=owner
        )
    amounts = _of_amounts(message, owner, facts)
    if amounts is not None:
        return amounts
    account = _ACCOUNT.search(message)
    if account:
        facts |= {"account": account["name"]}
        command = ("kubectl", "get", "serviceaccount", account["name"], "-n", owner.namespace)
        return pictures.cause(
            owner, "diagnosis.service-account-missing", facts, command, fatal=True, owner=owner
        )
    silent = _WEBHOOK_SILENT.search(message)
    if silent:
        facts |= {"webhook": silent["name"], "message": silent["what"]}
        hooks = ("kubectl", "get", "validatingwebhookconfigurations,mutatingwebhookconfigurations")
        # The controller tries again, and a webhook that restarts answers then.
        text_id = "diagnosis.webhook-silent"
        return pictures.cause(owner, text_id, facts, hooks, fatal=False, owner=owner)
    webhook = _WEBHOOK.search(message) or _POLICY.search(message)
    if webhook:
        facts |= {"webhook": webhook["name"], "message": webhook["what"]}
        return pictures.cause(owner, "diagnosis.webhook", facts, events, fatal=True, owner=owner)
    return pictures.cause(owner, "diagnosis.no-pods", facts, events, fatal=False, owner=owner)
