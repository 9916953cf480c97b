"""Database changes are synced by hand, where the policy says so."""

from __future__ import annotations

from hanbae.gates import targets, verdicts
from hanbae.policy import environments
from hanbae.results import events


async def decide(target: targets.Target) -> verdicts.Verdict:
    """Whether a sync that changes databases was one that a person began."""
    facts = target.facts
    if not list(target.proofs):
        return verdicts.passed("gate.no-migrations")
    is_automated = environments.is_automated(target.policy, target.source.environment)
    if is_automated and target.environment.database_changes == "auto":
        return verdicts.passed("gate.sync-automated-by-policy", **facts)
    began = [event.fact for event in target.recorded if isinstance(event.fact, events.Began)]
    if not began:
        return verdicts.undecided("gate.no-deployment", **facts)
    if any(fact.automated for fact in began):
        command = ("hanbae", "generate", "argocd", "--env", target.source.environment)
        return verdicts.failed("gate.sync-automated", **facts).then(*command)
    return verdicts.passed("gate.sync-by-hand", **facts)
