"""The Sealed Secrets controller itself: there, running, and new enough."""

from __future__ import annotations

from collections.abc import Iterator

from hanbae import subjects
from hanbae.diagnosing import pictures
from hanbae.sealing import versions


def causes(picture: pictures.Picture) -> Iterator[pictures.Cause]:
    """The causes in the controller, where it was looked at."""
    home, _, name = picture.controller.partition("/")
    if not home:
        return
    # Known by its image: the Deployment is called otherwise by the chart, by the manifests and by
    # teams.
    deployments = [
        (ref, item)
        for ref, item in picture.of("Deployment")
        if ref.namespace == home and _images(item)
    ]
    for ref, deployment in deployments:
        image = _images(deployment)[0]
        facts = {"controller": f"{home}/{ref.name}", "image": image}
        if versions.is_old(image):
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
    # Absent only where Services of that namespace were read at all.
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
