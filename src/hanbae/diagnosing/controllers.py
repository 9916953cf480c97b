"""The Sealed Secrets controller itself: there, running, and new enough."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from hanbae import subjects
from hanbae.diagnosing import pictures

_VERSION: Final = re.compile(r":v?(?P<major>[0-9]{1,4})\.(?P<minor>[0-9]{1,4})(?:\.|-|@|$)")
_SAFE: Final = (0, 40)
"""From this version on whoever may ask the controller to verify or rotate cannot learn what a secret holds."""


def causes(picture: pictures.Picture) -> Iterator[pictures.Cause]:
    """The causes in the controller, where it was looked at."""
    home, _, name = picture.controller.partition("/")
    if not home:
        return
    deployments = [
        (ref, item)
        for ref, item in picture.of("Deployment")
        if ref.namespace == home and _images(item)
    ]
    for ref, deployment in deployments:
        image = _images(deployment)[0]
        version = _VERSION.search(image)
        facts = {"controller": f"{home}/{ref.name}", "image": image}
        if version and (int(version["major"]), int(version["minor"])) < _SAFE:
            command: tuple[str, ...] = (
                "kubectl",
                "get",
                "deployment",
                ref.name,
                "-n",
                home,
                "-o",
                "wide",
            )
            yield pictures.cause(ref, "diagnosis.controller-old", facts, command, fatal=False)
        wanted_pods = (deployment.get("spec") or {}).get("replicas", 1)
        ready = (deployment.get("status") or {}).get("readyReplicas") or 0
        if wanted_pods and not ready:
            command = ("kubectl", "describe", "deployment", ref.name, "-n", home)
            yield pictures.cause(ref, "diagnosis.controller-down", facts, command, fatal=False)
    service = subjects.Ref("Service", home, name)
    sealed = any(True for _ in picture.of("SealedSecret"))
    if (
        sealed
        and service not in picture.objects
        and any(ref.namespace == home for ref, _ in picture.of("Service"))
    ):
        facts = {"controller": picture.controller, "image": "-"}
        command = ("kubectl", "get", "services", "-n", home)
        yield pictures.cause(service, "diagnosis.controller-absent", facts, command, fatal=False)


def _images(deployment: pictures.Object) -> list[str]:
    template = (deployment.get("spec") or {}).get("template") or {}
    images = [
        str(container.get("image") or "")
        for container in (template.get("spec") or {}).get("containers") or []
    ]
    return [image for image in images if "sealed-secrets" in image]
