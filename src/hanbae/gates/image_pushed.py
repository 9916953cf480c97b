"""The image of the revision is in its registry, for the platform of the nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

from hanbae import errors, foreign_json, wording
from hanbae.clusters import kinds, reading
from hanbae.gates import targets, verdicts
from hanbae.images import references, transporting
from hanbae.planning import forecasting

_ARCHITECTURE: Final = "kubernetes.io/arch"
_SYSTEM: Final = "kubernetes.io/os"


async def decide(target: targets.Target) -> verdicts.Verdict:
    """Whether the registry has every image, and for the nodes' platforms."""
    digests = await target.digests()
    present = {name: answer for name, answer in digests.items() if isinstance(answer, str)}
    absent = tuple(
        wording.Text("preflight.image-missing", target.facts | {"image": name})
        for name, digest in present.items()
        if not digest
    )
    unseen = tuple(
        text
        for name, answer in digests.items()
        if isinstance(answer, errors.Error)
        for text in unchecked(cure(answer), target.facts | {"image": name}, answer)
    )
    evidence = tuple(
        wording.Text("gate.image-digest", {"image": name, "digest": digest})
        for name, digest in present.items()
        if digest
    )
    looked = verdicts.Verdict(evidence, absent, unseen)
    if absent:
        return looked
    return verdicts.joined(looked, await _platforms(target, [*filter(present.get, present)]))


async def _platforms(target: targets.Target, images: list[str]) -> verdicts.Verdict:
    """Whether the images are for the platforms of the nodes that may run them."""
    if not images:
        return verdicts.Verdict()
    try:
        nodes = await reading.find(target.workload, kinds.NODE, None)
    except errors.Error:
        # The deployer may not see nodes, which belong to the whole cluster; the image is there all the same.
        return verdicts.passed("gate.nodes-unseen")
    answers = await asyncio.gather(*(_of_image(target, name) for name in images))
    selectors = _selectors(target.objects)
    judged = (
        platform(image, answer, eligible(nodes, selectors.get(image, {})), target.facts)
        for image, answer in zip(images, answers, strict=True)
    )
    return verdicts.joined(*judged)


async def _of_image(target: targets.Target, image: str) -> tuple[str, ...] | errors.Error | None:
    try:
        async with asyncio.timeout(targets.ASKS_WITHIN):
            return await target.registries.platforms(references.parse(image))
    except errors.Error as error:
        return error
    except TimeoutError:
        return errors.Unreachable(
            "registry.unreachable", host=image, reason=f"> {targets.ASKS_WITHIN:g} s"
        )


def platform(
    image: str,
    platforms: tuple[str, ...] | errors.Error | None,
    nodes: frozenset[str],
    where: Mapping[str, str],
) -> verdicts.Verdict:
    """Whether an image is for the platforms of nodes.

    Args:
        image: The image.
        platforms: What it is for; the error where the registry does not say, None where it is gone.
        nodes: Platforms of the nodes that may run it.
        where: Facts about the service and its environment.
    """
    if isinstance(platforms, errors.Error):
        return verdicts.unseen(platforms)
    if platforms is None or not nodes:
        return verdicts.undecided("gate.platform-unknown", image=image)
    facts = {
        **where,
        "image": image,
        "platforms": ", ".join(platforms) or "-",
        "nodes": ", ".join(sorted(nodes)),
    }
    if not nodes & set(platforms):
        return verdicts.Verdict(reasons=(wording.Text("gate.platform-missing", facts),))
    if not nodes <= set(platforms):
        return verdicts.Verdict(unseen=(wording.Text("gate.platform-partly", facts),))
    return verdicts.Verdict(evidence=(wording.Text("gate.platform", facts),))


def eligible(nodes: Iterable[Mapping[str, Any]], selector: Mapping[str, str]) -> frozenset[str]:
    """The platforms of the nodes that a pod's ``nodeSelector`` allows and that take pods."""
    platforms = set()
    for node in nodes:
        labels = foreign_json.below(node, "metadata", "labels")
        if foreign_json.below(node, "spec").get("unschedulable") is True:
            continue
        if all(labels.get(key) == value for key, value in selector.items()):
            platforms.add(f"{labels.get(_SYSTEM)}/{labels.get(_ARCHITECTURE)}")
    return frozenset(platforms)


def _selectors(objects: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Image → the ``nodeSelector`` of the pods that run it; what they differ in is left out."""
    selectors: dict[str, dict[str, str]] = {}
    for manifest in objects:
        pod = forecasting.pod(manifest)
        own = {str(key): str(value) for key, value in (pod.get("nodeSelector") or {}).items()}
        for container in forecasting.containers(manifest):
            image = str(container.get("image") or "")
            before = selectors.setdefault(image, own)
            selectors[image] = dict(before.items() & own.items())
    return selectors


def unchecked(
    text_id: str, facts: Mapping[str, str], error: errors.Error
) -> tuple[wording.Text, wording.Text]:
    """That something was not looked at, and why."""
    return wording.Text(text_id, {**facts, "why": error.text.id}), error.text


def cure(error: errors.Error) -> str:
    """The sentence about an image that was not asked for, with what would help."""
    if isinstance(error, errors.Forbidden):
        return "preflight.image-unchecked-login"
    if isinstance(error, errors.Unreachable) and error.text.id != transporting.SPEAKS_PLAINLY:
        return "preflight.image-unchecked-silent"
    return "preflight.image-unchecked"
