"""What is the matter with what runs: symptom, cause, evidence, and the next command."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

from msgspec import Struct

from hanbae import subjects, wording
from hanbae.results import drifts, events, reach

Severity = Literal["error", "warning", "notice"]
"""``error`` does not heal by itself; ``warning`` may; ``notice`` is something that somebody may have meant."""

SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)


class Diagnosis(Struct, frozen=True):
    """One thing that is the matter.

    Attributes:
        severity: How grave it is.
        environment: The environment.
        service: The service; empty for what belongs to none, such as a node.
        subject: The object that is in trouble.
        symptom: What people see.
        cause: Why.
        evidence: The cluster's own words, masked: conditions, messages, lines of logs.
        command: The next command for a person, as a list of arguments; empty where there is nothing to do.
    """

    severity: Severity
    environment: str
    service: str
    subject: subjects.Ref
    symptom: wording.Text
    cause: wording.Text
    evidence: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


RECORD: Final = "DeploymentRecord"
"""The kind of what is unseen where the record of a last deployment cannot be read."""


class Unseen(Struct, frozen=True):
    """What could not be looked at, so that nothing is said of it.

    Attributes:
        environment: The environment.
        kind: The kind of object.
        namespace: Where; empty for what is in no namespace.
        why: The API server's word.
    """

    environment: str
    kind: str
    namespace: str
    why: wording.Text


class Diagnoses(Struct, frozen=True):
    """What is the matter, the gravest first.

    Attributes:
        diagnoses: Them.
        services: The services that were looked at.
        environments: The environments that were looked at.
        unseen: What could not be looked at.
        unreached: Environments that did not answer.
    """

    diagnoses: tuple[Diagnosis, ...]
    services: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    unseen: tuple[Unseen, ...] = ()
    unreached: tuple[reach.Unreached, ...] = ()


class Log(Struct, frozen=True, forbid_unknown_fields=True):
    """The last lines of a container, masked.

    Attributes:
        namespace: The pod's namespace.
        pod: The pod.
        container: The container.
        lines: The lines.
    """

    namespace: str
    pod: str
    container: str
    lines: tuple[str, ...]


class Service(Struct, frozen=True, forbid_unknown_fields=True):
    """A service of a snapshot.

    Attributes:
        name: Its name.
        release: Its release.
        namespace: Its namespace.
        application: Name of its Application.
        secret: Name of its Secret.
    """

    name: str
    release: str
    namespace: str
    application: str
    secret: str


class Recorded(Struct, frozen=True, forbid_unknown_fields=True):
    """What the last deployment of a service has found, where that one failed: Jobs of hooks go with a sync.

    Attributes:
        service: The service.
        deployment: Id of the deployment.
        diagnoses: What it found.
    """

    service: str
    deployment: str
    diagnoses: tuple[events.Diagnosed, ...]


class Drifted(Struct, frozen=True, forbid_unknown_fields=True):
    """What differs of a service that Helm has installed; Argo CD's Applications say it of what they have synced.

    Attributes:
        service: The service.
        drifts: What differs, and who has changed it.
    """

    service: str
    drifts: tuple[drifts.Drift, ...]


class Expected(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a namespace that the policy expects somebody else to provide.

    Attributes:
        namespace: The namespace in this environment.
        part: The part, in the policy's words.
        service: The Service by which it is reached.
        present: Whether that is there.
        ready: How many endpoints behind it are ready; None where it has none of its own, such as an external name.
    """

    namespace: str
    part: str
    service: str
    present: bool
    ready: int | None = None


class Snapshot(Struct, frozen=True, forbid_unknown_fields=True):
    """What was seen of an environment: fields of an allow-list alone, without any value of a secret.

    Attributes:
        environment: The environment.
        taken: When, in RFC 3339.
        services: The services that were looked at.
        controller: ``namespace/name`` of the Sealed Secrets controller; empty where secrets are in a store.
        crashes: How often a container that was never ready may end before that counts as hopeless.
        objects: Objects, each with the fields that are allowed.
        logs: The last lines of containers that are in trouble.
        unseen: What could not be looked at.
        recorded: What the services' last deployments have found that failed.
        expected: What the policy expects somebody else to provide.
        drifted: What differs of what Helm has installed.
        absent: Namespaces of the services that are not there.
    """

    environment: str
    taken: str
    services: tuple[Service, ...]
    controller: str
    crashes: int
    objects: tuple[dict[str, Any], ...]
    logs: tuple[Log, ...] = ()
    unseen: tuple[Unseen, ...] = ()
    recorded: tuple[Recorded, ...] = ()
    expected: tuple[Expected, ...] = ()
    drifted: tuple[Drifted, ...] = ()
    absent: tuple[str, ...] = ()


class Snapshots(Struct, frozen=True, forbid_unknown_fields=True):
    """The file of ``hanbae doctor --snapshot``.

    Attributes:
        format: Version of this form; 1.
        snapshots: One for each environment.
    """

    format: int
    snapshots: tuple[Snapshot, ...]
