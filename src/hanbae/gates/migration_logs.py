"""The log of the migration is kept after its Job is gone."""

from __future__ import annotations

from collections import Counter

from hanbae import subjects
from hanbae.gates import targets, verdicts
from hanbae.results import events


async def decide(target: targets.Target) -> verdicts.Verdict:
    """Whether the record has the log of every migration Job, without a gap."""
    jobs = dict.fromkeys(proof.hook for proof in target.proofs)
    if not jobs:
        return verdicts.passed("gate.no-migrations")
    if not target.recorded:
        return verdicts.undecided("gate.no-deployment", **target.facts)
    deployment = target.recorded[0].deployment
    lines = Counter(
        event.fact.pod.name for event in target.recorded if isinstance(event.fact, events.Logged)
    )
    gaps = [
        event.fact.text.facts.get("pod", "")
        for event in target.recorded
        if isinstance(event.fact, events.Noted) and event.fact.text.id == "deploy.log-gap"
    ]
    hooks = target.plan.jobs
    judged = []
    for job in jobs:
        pods = [pod for pod in lines if subjects.job_of(pod, hooks) == job]
        facts = {
            "job": job.name,
            "lines": str(sum(lines[pod] for pod in pods)),
            "deployment": deployment,
        }
        has_gap = any(subjects.job_of(pod, hooks) == job for pod in gaps)
        if has_gap or not pods:
            text_id = "gate.log-gap" if has_gap else "gate.log-missing"
            judged.append(verdicts.undecided(text_id, **facts))
        else:
            judged.append(verdicts.passed("gate.log-kept", **facts))
    return verdicts.joined(*judged)
