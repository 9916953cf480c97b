"""The JSON Schema of what each command writes with ``--output json``, made from the types that are written.

Every document has ``format``, a whole number: it changes when a key is renamed, removed or means something else, not
when one is added.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from hanbae import subjects, wording
from hanbae.actions import stop
from hanbae.checking import inspecting, searches
from hanbae.cli import outputs
from hanbae.results import (
    checklists,
    compositions,
    dependencies,
    deployments,
    diagnoses,
    events,
    evidence,
    files,
    findings,
    holds,
    images,
    measures,
    migration_plans,
    outside,
    overlays,
    previews,
    promotions,
    reach,
    rehearsals,
    rollbacks,
    secrets,
    standings,
    workloads,
)
from hanbae.sandbox import statuses

# A name of its own: within the classes below, `deployments` is also the name of a field.
_Unreadable = deployments.Unreadable
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class Deployments(Struct):
    """What became of each service; for ``history list``, the newest first."""

    deployments: tuple[deployments.Deployment, ...]


class Ended(Deployments, omit_defaults=True):
    """The deployment that was ended, or what else ran for a service: no deployment of hanbae's."""

    stopped: stop.Stopped | None = None


class Run(Deployments):
    """What became of each service of a run, which were left out of it, and what was changed by hand before."""

    skipped: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    unchecked: tuple[wording.Text, ...] = ()
    drifted: tuple[wording.Text, ...] = ()


class HistoryList(Deployments, omit_defaults=True):
    """Deployments, records that cannot be read, and what others than hanbae have done, where clusters were asked."""

    unreadable: tuple[_Unreadable, ...] = ()
    outside: outside.Outside | None = None


class Copied(Struct):
    """How much of a history was copied; what of it cannot be read, and what is recorded otherwise in the other one."""

    deployments: int
    events: int
    unreadable: tuple[_Unreadable, ...]
    differing: tuple[str, ...]


class HistoryShow(Struct):
    """One deployment, and every event of it; no deployment where an event cannot be read."""

    deployment: deployments.Deployment | None
    events: tuple[events.Event, ...]
    unreadable: tuple[_Unreadable, ...]


class Files(Struct):
    """What became of the files that the command writes."""

    files: tuple[files.FileChange, ...]


class Plans(Struct):
    """Plans of an environment (``--env``)."""

    plans: tuple[previews.Preview, ...]


class Dependencies(Struct):
    """What charts depend on."""

    charts: tuple[dependencies.Chart, ...]


class Keys(Struct):
    """The keys of sealed values, and what could not be read."""

    keys: tuple[secrets.SealedKey, ...]
    unread: tuple[secrets.Unread, ...] = ()


class VerifiedKeys(Keys, omit_defaults=True):
    """The keys of sealed values, and environments whose controllers could not be asked (``--live``)."""

    unreached: tuple[reach.Unreached, ...] = ()


class DatedKeys(Struct):
    """The pasts of sealed values, and what could not be read."""

    keys: tuple[secrets.DatedKey, ...]
    unread: tuple[secrets.Unread, ...] = ()


class Resealed(Struct):
    """What was sealed anew, by file."""

    resealed: tuple[secrets.Resealed, ...]


class SealedSeveral(Struct):
    """What was sealed in several environments."""

    sealed: tuple[secrets.Sealed, ...]


class Release(Struct):
    """A rendered release."""

    service: str
    environment: str
    release: str
    namespace: str
    objects: tuple[dict[str, Any], ...]


class Releases(Struct):
    """What is rendered, by service and environment; where rendering breaks off, a document of the error follows."""

    releases: tuple[Release, ...]


class WordedFinding(findings.Finding, frozen=True, kw_only=True):
    """A finding, with its sentences in words and what identifies it across runs."""

    message: str
    fingerprint: str
    precision: findings.Precision
    fix_message: str = ""


class WordedAcceptance(Struct):
    """A finding that a comment, the baseline or the policy accepts."""

    finding: WordedFinding
    by: Literal["ignore", "baseline", "policy"]
    reason: str = ""
    place: subjects.Place | None = None


class Summary(Struct):
    """How many findings there are."""

    error: int
    warning: int
    notice: int
    ignored: int
    baseline: int
    policy: int


class Check(Struct):
    """The result of a check."""

    failed: bool
    services: tuple[str, ...]
    environments: tuple[str, ...]
    rules: int
    summary: Summary
    folder: str
    findings: tuple[WordedFinding, ...]
    accepted: tuple[WordedAcceptance, ...]
    unprepared: tuple[inspecting.Unprepared, ...]
    searched: searches.Searched | None = None


class Rule(Struct):
    """A rule, worded."""

    code: str
    family: str
    severity: findings.Severity
    scope: str
    fixable: bool
    source: str
    title: str
    why: str
    fix: str
    examples: dict[str, str]


class Rules(Struct):
    """All rules."""

    rules: tuple[Rule, ...]


class Fault(Struct):
    """Why a command failed."""

    text: wording.Text
    message: str
    place: subjects.Place | None = None
    suggestion: str = ""


class ImagesSet(Struct):
    """What became of the values files of several services."""

    images: tuple[images.ImageSet, ...]


class Error(Struct):
    """What a command writes instead when it fails."""

    error: Fault
    errors: tuple[Fault, ...] = ()


OUTPUTS: Final[dict[str, type[Struct]]] = {
    "attach": Deployments,
    "check": Check,
    "check-explain": Rule,
    "check-rules": Rules,
    "checklist-attest": checklists.Statement,
    "checklist-run": checklists.Checklist,
    "checklist-show": checklists.Checklist,
    "checklist-waive": checklists.Statement,
    "demo": Deployments,
    "dependencies-build": Dependencies,
    "dependencies-update": Dependencies,
    "deploy": Run,
    "doctor": diagnoses.Diagnoses,
    "error": Error,
    "generate": Files,
    "hold-add": holds.HeldService,
    "hold-lift": holds.HeldService,
    "hold-list": holds.Holds,
    "history-copy": Copied,
    "history-dora": measures.Measures,
    "history-export": evidence.Evidence,
    "history-list": HistoryList,
    "history-show": HistoryShow,
    "image-set": images.ImageSet,
    "image-set-several": ImagesSet,
    "init": Files,
    "new-service": Files,
    "migrations-rehearse": rehearsals.Rehearsal,
    "overlay-apply": overlays.Applied,
    "overlay-plan": overlays.Preview,
    "local-check": compositions.Parity,
    "local-status": compositions.Local,
    "local-up": compositions.Local,
    "migrations-plan": migration_plans.Plans,
    "migrations-status": migration_plans.Plans,
    "plan": Plans,
    "plan-base": previews.Comparison,
    "promote": promotions.Promoted,
    "render": Releases,
    "rollback": rollbacks.Rollback,
    "rollout": workloads.Rolled,
    "sandbox-status": statuses.Status,
    "sandbox-up": statuses.Status,
    "secrets-backup-verify": secrets.BackedUp,
    "secrets-import": secrets.Sealed,
    "secrets-import-file": Resealed,
    "secrets-list": Keys,
    "secrets-report": DatedKeys,
    "secrets-reseal": Resealed,
    "secrets-seal": secrets.Sealed,
    "secrets-seal-several": SealedSeveral,
    "secrets-verify": VerifiedKeys,
    "status": standings.Standings,
    "stop": Ended,
    "upgrade": files.Upgrades,
}
"""Command, with what its output depends on → what it writes, besides ``format``."""
LINES: Final[dict[str, type[Struct]]] = {
    "event": events.Event,
    "standing": standings.Standing,
    "stopped": stop.Stopped,
}
"""Name → a line of ``--output jsonl``, without ``format``: of the history, of `hanbae status` and of `hanbae stop`."""


def schema(output: str) -> dict[str, Any]:
    """The schema of a document.

    Args:
        output: A key of `OUTPUTS` or of `LINES`.
    """
    kind = LINES.get(output) or OUTPUTS[output]
    (reference,), components = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    # No type has this field: `outputs.emit_json` adds it to every document, and lines go without it.
    if output not in LINES:
        root = components[reference["$ref"].rpartition("/")[2]]
        version = {"const": outputs.FORMAT, "description": "Version of this form."}
        root["properties"] = {"format": version, **root["properties"]}
        root["required"] = ["format", *root.get("required", ())]
    return {"$schema": _DIALECT, "title": output, **reference, "$defs": components}


def text(output: str) -> str:
    """The schema as indented JSON."""
    encoded = msgspec.json.encode(schema(output), order="deterministic")
    return msgspec.json.format(encoded, indent=2).decode()
