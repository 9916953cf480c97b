"""The endpoints of the service answer as declared, asked through the API server's proxy to its own Service."""

from __future__ import annotations

import asyncio
from typing import Final

from hanbae import errors, excerpts
from hanbae.clusters import answers, kinds, service_proxies
from hanbae.gates import targets, verdicts
from hanbae.policy import documents
from hanbae.releases import endpoints
from hanbae.streams import backoffs

_WITHIN: Final = 10.0
"""Seconds for one answer."""
_TRIES: Final = 6
_PAUSE: Final = 0.5
"""Seconds between two tries where nothing stands behind a Service yet."""
_AT_ONCE: Final = 4
_EXCERPT: Final = 200


async def decide(target: targets.Target) -> verdicts.Verdict:
    """Whether each declared endpoint answers as it should."""
    source = target.source
    probes = endpoints.of(
        source.policy,
        source.service,
        source.environment,
        source.rendered.values,
        file=source.values_file,
    )
    if not probes:
        return verdicts.undecided("gate.no-endpoints", values=source.values_file, **target.facts)
    places = asyncio.Semaphore(_AT_ONCE)

    async def judge(probe: endpoints.Probe) -> verdicts.Verdict:
        async with places:
            return await _verdict(target, probe)

    return verdicts.joined(*await asyncio.gather(*map(judge, probes)))


async def of(endpoint: documents.Endpoint, target: targets.Target) -> verdicts.Verdict:
    """Whether one endpoint, which an item of the team's own names, answers as it should."""
    return await _verdict(target, endpoints.probe(endpoint, target.release))


async def _verdict(target: targets.Target, probe: endpoints.Probe) -> verdicts.Verdict:
    """What one endpoint answers."""
    facts = {"endpoint": str(probe), "expected": str(probe.status)}
    own = {
        manifest["metadata"]["name"]
        for manifest in target.objects
        if manifest.get("kind") == kinds.SERVICE.kind
    }
    # A values file must not have the API server ask a Service of somebody else's.
    if probe.service not in own:
        services = ", ".join(sorted(own)) or "-"
        return verdicts.failed("gate.foreign-service", **facts, services=services)
    try:
        # All tries together.
        async with asyncio.timeout(_WITHIN):
            answer = await _answer(target, probe)
    except errors.Forbidden as error:
        return verdicts.unseen(error)
    except TimeoutError:
        return verdicts.failed("gate.endpoint-slow", **facts, seconds=f"{_WITHIN:g}")
    except errors.Error as error:
        # A Service behind which nothing stands is what this item is to find out. Any other error
        # says something about the way there.
        if error.text.id == "cluster.service-silent" or isinstance(error, answers.Missing):
            why = error.text.facts.get("why") or error.text.facts.get("message", "")
            return verdicts.failed("gate.endpoint-silent", **facts, why=why)
        return verdicts.unseen(error)
    return judged(probe, answer, target)


async def _answer(target: targets.Target, probe: endpoints.Probe) -> service_proxies.Answer:
    """What an endpoint answers; the API server learns of new pods a moment after they are ready.

    Raises:
        hanbae.errors.Error: It does not answer, or must not be asked.
    """
    attempts = backoffs.Attempts(_TRIES)
    async for _ in attempts:
        try:
            return await service_proxies.request(
                target.workload, target.source.namespace, probe.service, probe.port, probe.path
            )
        except errors.Error as error:
            if error.text.id != "cluster.service-silent":
                raise
            attempts.failed(error, pause=_PAUSE)
    raise attempts.error


def judged(
    probe: endpoints.Probe, answer: service_proxies.Answer, target: targets.Target
) -> verdicts.Verdict:
    """Whether an answer is the declared one."""
    body = answer.body.decode("utf-8", "replace")
    facts = {
        "endpoint": str(probe),
        "expected": str(probe.status),
        "status": str(answer.status),
        "contains": probe.contains,
        "body": excerpts.one_line(body, _EXCERPT, redact=target.redact),
    }
    if answer.status != probe.status:
        return verdicts.failed("gate.endpoint-wrong", **facts)
    if probe.contains not in body:
        return verdicts.failed("gate.endpoint-lacks", **facts)
    return verdicts.passed("gate.endpoint-right", **facts)
