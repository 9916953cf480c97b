"""What ``hanbae rollback`` is going to do, and what came of it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hanbae import wording
from hanbae.results import deployments, merge_requests, plans

Route = Literal["deploy", "revert"]
"""How the older code comes back: it is deployed, or git is reverted, where Argo CD follows the branch by itself."""


class Migration(Struct, frozen=True):
    """A migration that is taken back.

    Attributes:
        version: Its version.
        file: Its file, relative to the repository.
        transaction: Whether goose runs it in a transaction; if not, half of it may be left where it is broken off.
    """

    version: int
    file: str
    transaction: bool


class Database(Struct, frozen=True):
    """The way back of one database.

    Attributes:
        name: Its name.
        version: The version that it is to have.
        takes_back: What is taken back, in that order.
        losses: Statements after which data is gone.
    """

    name: str
    version: int
    takes_back: tuple[Migration, ...]
    losses: tuple[plans.Loss, ...] = ()


class Rollback(Struct, frozen=True):
    """A rollback of one service in one environment.

    Attributes:
        service: The service.
        environment: The environment.
        route: How the older code comes back.
        present: The commit that is gone back from.
        revision: The commit that is gone back to.
        databases: What is taken back first, in that order; a database that stays as it is, is not among them.
        held: Whether the commit that is gone back from is held now.
        branch: The branch with the commit that reverts git; empty where none was written.
        commit: That commit.
        files: The files that it changes.
        deployment: What came of it; None where nothing was deployed and no database taken back.
        offers: Whether the commit that reverts git is brought to the forge.
        request: Its merge request; None where none was opened.
        is_foresight: Whether it is only asked if it could be done, of a commit that may never have been deployed.
        boundaries: What no way leads past; only in a foresight, as a rollback is refused for them.
    """

    service: str
    environment: str
    route: Route
    present: str
    revision: str
    databases: tuple[Database, ...] = ()
    held: bool = False
    branch: str = ""
    commit: str = ""
    files: tuple[str, ...] = ()
    deployment: deployments.Deployment | None = None
    offers: bool = False
    request: merge_requests.MergeRequest | None = None
    is_foresight: bool = False
    boundaries: tuple[wording.Text, ...] = ()
