"""hanbae (한배): turns a written deployment policy into a working system.

What Python callers need is here, under one flat set of names; each is imported when it is first asked for, because
every run of the command imports this module::

    with hanbae.open_workspace(Path()) as space:
        prepared = await hanbae.prepare(space, ("auth",), "staging")
        async with hanbae.deploying_all(space, prepared) as events:
            async for event in events: ...

    result = await hanbae.check(Path())
    for finding in result.findings: ...

Everything that is not in ``__all__`` may change at any time.
"""

from __future__ import annotations

# Ctrl-C ends the command in a traceback until more than this module is there, and `typing` would take the longest.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from hanbae._version import __version__
    from hanbae.actions.check import Request as CheckRequest
    from hanbae.actions.check import Result as CheckResult
    from hanbae.actions.check import check
    from hanbae.actions.plan_live import preview
    from hanbae.actions.plan_revisions import compare
    from hanbae.actions.render import Failure as RenderFailure
    from hanbae.actions.render import Release as Rendered
    from hanbae.actions.render import Request as RenderRequest
    from hanbae.actions.render import rendering
    from hanbae.checking.beyond_files import History as CheckHistory
    from hanbae.checking.beyond_files import Live as CheckLive
    from hanbae.deploying.attaching import attached
    from hanbae.deploying.driver import deploying
    from hanbae.deploying.preparing import Prepared, prepare
    from hanbae.deploying.runs import deploying_all
    from hanbae.errors import (
        Error,
        Failed,
        FileFault,
        Forbidden,
        Lacking,
        Refused,
        Stopped,
        Unreachable,
        WrongUse,
    )
    from hanbae.policy.documents import Policy
    from hanbae.policy.loading import Loaded as LoadedPolicy
    from hanbae.policy.loading import find as find_policy
    from hanbae.policy.loading import load as load_policy
    from hanbae.results.deployments import Deployment, Migration
    from hanbae.results.deployments import fold as fold_events
    from hanbae.results.events import (
        Began,
        Closed,
        Decided,
        Diagnosed,
        Event,
        Fact,
        Intended,
        Logged,
        Migrated,
        Noted,
        Observed,
        Opened,
        Proved,
        TakenBack,
    )
    from hanbae.results.findings import Accepted, Edit, Finding
    from hanbae.results.plans import Plan
    from hanbae.results.previews import Comparison, Preview
    from hanbae.subjects import Place, Ref
    from hanbae.wording import Text
    from hanbae.workspaces import Workspace
    from hanbae.workspaces import opened as open_workspace

__all__ = [
    "Accepted",
    "Began",
    "CheckHistory",
    "CheckLive",
    "CheckRequest",
    "CheckResult",
    "Closed",
    "Comparison",
    "Decided",
    "Deployment",
    "Diagnosed",
    "Edit",
    "Error",
    "Event",
    "Fact",
    "Failed",
    "FileFault",
    "Finding",
    "Forbidden",
    "Intended",
    "Lacking",
    "LoadedPolicy",
    "Logged",
    "Migrated",
    "Migration",
    "Noted",
    "Observed",
    "Opened",
    "Place",
    "Plan",
    "Policy",
    "Prepared",
    "Preview",
    "Proved",
    "Ref",
    "Refused",
    "RenderFailure",
    "RenderRequest",
    "Rendered",
    "Stopped",
    "TakenBack",
    "Text",
    "Unreachable",
    "Workspace",
    "WrongUse",
    "__version__",
    "attached",
    "check",
    "compare",
    "deploying",
    "deploying_all",
    "find_policy",
    "fold_events",
    "load_policy",
    "open_workspace",
    "prepare",
    "preview",
    "rendering",
]

_HOMES: Final = {
    "Accepted": "results.findings",
    "Began": "results.events",
    "CheckHistory": "checking.beyond_files:History",
    "CheckLive": "checking.beyond_files:Live",
    "CheckResult": "actions.check:Result",
    "CheckRequest": "actions.check:Request",
    "Closed": "results.events",
    "Comparison": "results.previews",
    "Decided": "results.events",
    "Deployment": "results.deployments",
    "Diagnosed": "results.events",
    "Edit": "results.findings",
    "Error": "errors",
    "Event": "results.events",
    "Fact": "results.events",
    "Failed": "errors",
    "FileFault": "errors",
    "Finding": "results.findings",
    "Forbidden": "errors",
    "Intended": "results.events",
    "Lacking": "errors",
    "LoadedPolicy": "policy.loading:Loaded",
    "Logged": "results.events",
    "Migrated": "results.events",
    "Migration": "results.deployments",
    "Noted": "results.events",
    "Observed": "results.events",
    "Opened": "results.events",
    "Place": "subjects",
    "Plan": "results.plans",
    "Policy": "policy.documents",
    "Prepared": "deploying.preparing",
    "Preview": "results.previews",
    "Proved": "results.events",
    "Ref": "subjects",
    "Refused": "errors",
    "RenderFailure": "actions.render:Failure",
    "RenderRequest": "actions.render:Request",
    "Rendered": "actions.render:Release",
    "Stopped": "errors",
    "TakenBack": "results.events",
    "Text": "wording",
    "Unreachable": "errors",
    "Workspace": "workspaces",
    "WrongUse": "errors",
    "__version__": "_version",
    "attached": "deploying.attaching",
    "check": "actions.check",
    "compare": "actions.plan_revisions",
    "deploying": "deploying.driver",
    "deploying_all": "deploying.runs",
    "find_policy": "policy.loading:find",
    "fold_events": "results.deployments:fold",
    "load_policy": "policy.loading:load",
    "open_workspace": "workspaces:opened",
    "prepare": "deploying.preparing",
    "preview": "actions.plan_live",
    "rendering": "actions.render",
}
"""Public name → the module that it lives in, and after a colon what it is called there if not the same."""


if not TYPE_CHECKING:  # a type checker that saw it would believe in every name

    def __getattr__(name: str) -> Any:
        """Import a public name from its home, and keep it."""
        if name not in _HOMES:
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message)
        from importlib import import_module

        home, _, own = _HOMES[name].partition(":")
        value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), own or name)
        return value


def __dir__() -> list[str]:
    """The public names, imported already or not."""
    return sorted({*globals(), *__all__})
