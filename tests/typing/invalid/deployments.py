"""Misuse of a deployment."""

from __future__ import annotations

import hanbae


async def follow(space: hanbae.Workspace, plan: hanbae.Plan) -> None:
    hanbae.prepare(space, (), "dev")  # E: unused-coroutine
    await hanbae.prepare(space, "auth", "dev")  # E: arg-type
    hanbae.deploying(space, plan, by="me")  # E: call-arg
    async for _ in hanbae.deploying(space, plan, deployment="1", by="me"):  # E: attr-defined
        pass


def change(event: hanbae.Event) -> str:
    event.seq = 2  # E: misc
    return event.fact.line  # E: union-attr


def outcome(deployment: hanbae.Deployment) -> bool:
    return deployment.outcome == "success"  # E: comparison-overlap


def text() -> hanbae.Text:
    return hanbae.Text("deploy.failed", {"count": 1})  # E: dict-item
