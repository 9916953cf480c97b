"""The objects of one deployment at one moment, as whoever watches them has collected them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct

from hanbae import excerpts, subjects, wording
from hanbae.results import events

Object = Mapping[str, Any]

LONGEST: Final = 500
"""Characters of a fact that are kept."""


class Picture(Struct, frozen=True):
    """What is known at one moment.

    Attributes:
        objects: The objects that belong to the deployment, and the Events about them. Whoever collects them
            leaves out what belongs to earlier deployments: a broken pod of the last one explains nothing.
        logs: The last lines of containers by pod and container, masked.
        service: The service that is deployed, for commands; empty where that is not known.
        environment: The environment, likewise.
        secret: Name of the service's own Secret.
        crashes: How often a container of a pod that was never ready may end before that counts as hopeless; 0 for
            any number.
        crashes_before: Pod and container → how often it had ended before the deployment began.
        now: When it was; None where time decides nothing, because whoever waits has deadlines of its own.
        controller: ``namespace/name`` of the Sealed Secrets controller; empty where it is not looked at.
        maker: The kind of what the service's Secret is made of by a controller.
        unseen: Kinds and namespaces of which nobody could look what is there; the namespace is empty for what is in
            none.
    """

    objects: Mapping[subjects.Ref, Object]
    logs: Mapping[tuple[subjects.Ref, str], Sequence[str]] = {}
    service: str = ""
    environment: str = ""
    secret: str = ""
    crashes: int = 0
    crashes_before: Mapping[tuple[subjects.Ref, str], int] = {}
    now: datetime | None = None
    controller: str = ""
    maker: str = "SealedSecret"
    unseen: frozenset[tuple[str, str]] = frozenset()

    def of(self, kind: str) -> Iterator[tuple[subjects.Ref, Object]]:
        """All objects of a kind, by name."""
        for ref in sorted(self.objects):
            if ref.kind == kind:
                yield ref, self.objects[ref]

    def events(self, ref: subjects.Ref, *reasons: str) -> list[Object]:
        """The warnings about an object, oldest first; with reasons, only those."""
        warnings = [
            event
            for _, event in self.of("Event")
            if _involved(event) == ref and (not reasons or event.get("reason") in reasons)
        ]
        # Timestamps in RFC 3339 and UTC are in the order of their letters.
        return sorted(warnings, key=lambda event: str(event.get("lastTimestamp") or ""))

    def pods_of(self, ref: subjects.Ref) -> list[tuple[subjects.Ref, Object]]:
        """The pods that an object owns, oldest first."""
        pods = [(pod, live_pod) for pod, live_pod in self.of("Pod") if owner(live_pod) == ref]
        return sorted(pods, key=lambda item: str(item[1]["metadata"].get("creationTimestamp")))

    def seals(self, secret: str, keys: Sequence[str]) -> tuple[str, ...]:
        """The command that seals keys of the service's own Secret; empty for any other, and where none is sealed."""
        if not self.service or secret != self.secret or self.maker != "SealedSecret":
            return ()
        return ("hanbae", "secrets", "seal", self.service, *keys, "--env", self.environment)

    def age(self, stamp: object) -> float:
        """Seconds since a timestamp of the API server's; 0 where the time does not matter or cannot be read."""
        if self.now is None or not stamp:
            return 0.0
        try:
            moment = datetime.fromisoformat(str(stamp))
        except ValueError:
            return 0.0
        return (self.now - moment.replace(tzinfo=moment.tzinfo or UTC)).total_seconds()

    def tail(self, pod: subjects.Ref, container: str, *, lines: int = 6) -> str:
        """The last lines of a container's log as one text; empty when there are none."""
        return "\n".join(list(self.logs.get((pod, container), ()))[-lines:])


class Cause(Struct, frozen=True):
    """One cause, and what it is a cause for.

    Attributes:
        diagnosis: What people are told.
        owner: The Job, Deployment or other object that cannot go on because of it; the same cause in several
            of its pods, or in one pod after the other, is one cause.
        is_settled: It has been waited for long enough already: what has failed has had its attempts.
        is_symptom: It only says that something does not go on, which another cause explains.
    """

    diagnosis: events.Diagnosed
    owner: subjects.Ref
    is_settled: bool = False
    is_symptom: bool = False

    @property
    def key(self) -> tuple[subjects.Ref, str]:
        """By this a cause is the same one at two moments."""
        return self.owner, self.diagnosis.cause.id


def cause(
    subject: subjects.Ref,
    text_id: str,
    facts: Mapping[str, object],
    command: Sequence[str],
    *,
    fatal: bool,
    owner: subjects.Ref | None = None,
    is_settled: bool = False,
    is_symptom: bool = False,
) -> Cause:
    """A cause, put together; foreign sentences become one line each, and not a long one."""
    worded = wording.Text(
        text_id,
        {
            # A log keeps its lines; everything else is part of one sentence.
            key: str(value) if key == "log" else excerpts.one_line(str(value), LONGEST)
            for key, value in facts.items()
        },
    )
    diagnosed = events.Diagnosed(subject, worded, tuple(command), fatal)
    return Cause(diagnosed, owner or subject, is_settled, is_symptom)


def owner(owned: Object) -> subjects.Ref | None:
    """The object's controller, or None."""
    metadata = owned["metadata"]
    for reference in metadata.get("ownerReferences") or []:
        if reference.get("controller"):
            return subjects.Ref(reference["kind"], metadata.get("namespace", ""), reference["name"])
    return None


def condition(live: Object, kind: str) -> Mapping[str, Any]:
    """A condition of the object's status, or an empty mapping."""
    conditions = (live.get("status") or {}).get("conditions") or []
    return next((entry for entry in conditions if entry.get("type") == kind), {})


def _involved(event: Object) -> subjects.Ref:
    about = event.get("involvedObject") or {}
    return subjects.Ref(about.get("kind", ""), about.get("namespace", ""), about.get("name", ""))
