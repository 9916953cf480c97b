"""The migration Job was watched from its beginning to its end."""

from __future__ import annotations

from hanbae.gates import targets, verdicts
from hanbae.results import events

_ENDED = frozenset({"Complete", "Succeeded", "Failed"})


async def decide(target: targets.Target) -> verdicts.Verdict:
    """Whether the record has the end of every migration Job."""
    jobs = dict.fromkeys(proof.hook for proof in target.proofs)
    if not jobs:
        return verdicts.passed("gate.no-migrations")
    states = {
        event.fact.on: event.fact.state
        for event in target.recorded
        if isinstance(event.fact, events.Observed)
    }
    ended, unseen = [], []
    for job in jobs:
        facts = {"job": job.name, "namespace": job.namespace, "state": states.get(job, "")}
        if states.get(job) in _ENDED:
            ended.append(verdicts.passed("gate.job-watched", **facts))
        elif not target.recorded:
            return verdicts.undecided("gate.no-deployment", **target.facts)
        else:
            unseen.append(verdicts.undecided("gate.job-unseen", **facts))
    return verdicts.joined(*ended, *unseen)
