from __future__ import annotations

import functools
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hanbae import masking, subjects, wording, workspaces
from hanbae.deploying import recording
from hanbae.history import stores
from hanbae.policy import documents, naming
from hanbae.results import events, plans
from hanbae.streams import channels

POD = subjects.Ref("Pod", "services-dev", "auth-1")
SECRET = "correct-horse-battery"
TEXT = wording.Text("x", {"message": f"it is {SECRET}"})
BEGAN = events.Began("d1.sync", automated=False, revision="1" * 40)
FOREIGN = [
    events.Observed(POD, "Failed", SECRET, f"it is {SECRET}"),
    events.Logged(POD, "migrate", f"it is {SECRET}"),
    events.Diagnosed(POD, TEXT, ("kubectl",), True),
    events.Noted(TEXT),
    events.Closed("failed", TEXT),
    msgspec.structs.replace(BEGAN, options=(SECRET,)),
]


@pytest.mark.parametrize("fact", FOREIGN, ids=lambda fact: type(fact).__name__)
def test_no_fact_carries_a_secret(fact: events.Fact) -> None:
    redact = masking.Redactor([masking.Masked(SECRET.encode())])
    assert SECRET in str(fact)
    assert SECRET not in str(recording.masked(fact, redact))


async def test_an_event_is_in_the_history_before_it_is_shown_and_masked_in_both(
    tmp_path: Path,
) -> None:
    channel: channels.Channel[events.Event] = channels.Channel()
    with stores.open_store(f"sqlite:///{tmp_path}/history.db") as store:
        record = recording.Record(store, "d1", channel, lambda: datetime.now(UTC))
        record.redact = masking.Redactor([masking.Masked(SECRET.encode())])
        plan = plans.Plan(1, "auth", "dev", ())
        await record.add(None, events.Opened(plan, "jiwon", "1" * 40))
        await record.add("sync", FOREIGN[1])
        shown = channel.read()
        for committed in store.events("d1"):
            assert await anext(shown) == committed
        (line,) = record.logs[POD, "migrate"]
        assert SECRET not in line
    assert SECRET.encode() not in _files(tmp_path)


async def test_an_operation_that_an_older_hanbae_has_recorded_is_not_begun_twice(
    tmp_path: Path,
) -> None:
    past = [events.Event("d1", 1, datetime.now(UTC), "sync", BEGAN)]
    with stores.open_store(f"sqlite:///{tmp_path}/history.db") as store:
        opened = events.Opened(plans.Plan(1, "auth", "dev", ()), "j", "1" * 40)
        store.append("d1", None, opened, datetime.now(UTC))
        record = recording.Record(
            store, "d1", channels.Channel(), lambda: datetime.now(UTC), past=past
        )
        await record.add("sync", msgspec.structs.replace(BEGAN, options=("Validate=true",)))
        await record.add("sync", msgspec.structs.replace(BEGAN, operation="d1.again"))
        assert [event.fact for event in store.events("d1")[1:]] == [
            msgspec.structs.replace(BEGAN, operation="d1.again")
        ]


def _files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


class Loaded:
    """A policy of three environments: in the current cluster, in one of their own, and with a hub before it."""

    policy = documents.Policy(
        version=1,
        argocd=documents.ArgoCD("https://git.example.com/shop.git"),
        environments={
            "dev": documents.Environment(branch="develop"),
            "staging": documents.Environment(branch="release", control="staging-cluster"),
            "production": documents.Environment(branch="main", control="hub", workload="pods"),
        },
    )

    def place(self, key: str) -> subjects.Place:
        return subjects.Place("hanbae.yaml", len(key))


LOGS = ("kubectl", "logs", "auth-1", "-n", "services")
APPLICATION = ("kubectl", "describe", "application", "auth", "-n", "argocd")
REPO_SERVER = ("kubectl", "get", "pods", "-n", "argocd", "-l", "name=argocd-repo-server")
PROJECT = ("kubectl", "get", "appproject/services-production", "-n", "argocd")
SEAL = ("hanbae", "secrets", "seal", "auth", "--env", "staging")


@pytest.mark.parametrize(
    ("environment", "override", "command", "context"),
    [
        ("dev", None, LOGS, ""),
        ("dev", "mine", LOGS, "mine"),
        ("staging", None, LOGS, "staging-cluster"),
        ("staging", None, APPLICATION, "staging-cluster"),
        ("production", None, LOGS, "pods"),
        ("production", None, APPLICATION, "hub"),
        ("production", None, REPO_SERVER, "hub"),
        ("staging", None, SEAL, ""),
        ("production", None, PROJECT, "hub"),
        (
            "production",
            None,
            ("kubectl", "describe", "service", "argocd", "-n", "services"),
            "pods",
        ),
        (
            "production",
            None,
            ("kubectl", "describe", "pod", "application", "-n", "services"),
            "pods",
        ),
        ("production", None, ("kubectl", "logs", "application", "-n", "services"), "pods"),
        ("production", None, ("kubectl", "get", "pods", "--namespace=argocd"), "hub"),
        ("production", None, ("kubectl", "get", "pods", "--namespace", "argocd"), "hub"),
    ],
)
async def test_command_is_recorded_with_the_cluster_that_it_is_about(
    tmp_path: Path, environment: str, override: str | None, command: tuple[str, ...], context: str
) -> None:
    """A person's kubeconfig may point anywhere; what is pasted asks the cluster of the environment all the same."""
    loaded: Any = Loaded()
    checkout: Any = None
    whole = (*command, "--context", context) if context else command
    with stores.open_store(f"sqlite:///{tmp_path}/history.db") as store:
        space = workspaces.Workspace(loaded, checkout, store, context=override)
        record = recording.Record(
            store,
            "d1",
            channels.Channel(),
            lambda: datetime.now(UTC),
            typed=functools.partial(space.typed, environment),
        )
        await record.add(None, events.Opened(plans.Plan(1, "auth", environment, ()), "j", "1" * 40))
        await record.add(None, events.Diagnosed(POD, TEXT, command, fatal=True))
        await record.add(None, events.Closed("failed", TEXT, command))
        _, diagnosed, closed = (event.fact for event in store.events("d1"))
    assert isinstance(diagnosed, events.Diagnosed)
    assert isinstance(closed, events.Closed)
    assert diagnosed.command == closed.command == whole


@pytest.mark.parametrize(("command", "context"), [(APPLICATION, "hub"), (REPO_SERVER, "pods")])
def test_a_namespace_that_argo_cd_and_services_share_by_name_leaves_it_to_the_kind(
    monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], context: str
) -> None:
    services = msgspec.structs.replace(Loaded.policy.services, namespace="argocd")
    policy = msgspec.structs.replace(Loaded.policy, services=services)
    monkeypatch.setattr(Loaded, "policy", policy)
    loaded: Any = Loaded()
    nothing: Any = None
    space = workspaces.Workspace(loaded, nothing, nothing)
    assert naming.namespace(policy, "auth", "production") == "argocd"
    assert space.typed("production", command) == (*command, "--context", context)
