"""Gitea, and Forgejo, which came of it."""

from __future__ import annotations

from typing import Final

from hanbae import errors
from hanbae.forges import connections, protocol, pulls
from hanbae.results import merge_requests
from hanbae.streams import backoffs

_LOOKS: Final = 5
"""Gitea fails with HTTP 500 where somebody else closes the pull request in the same moment."""


class Gitea(pulls.Pulls):
    """A repository of Gitea's or Forgejo's.

    Args:
        connection: The forge.
        project: The repository's path.
    """

    def __init__(self, connection: connections.Connection, project: str) -> None:
        super().__init__(connection, project)
        self._size = "limit"

    async def opened(self, source: str, target: str) -> merge_requests.MergeRequest | None:
        """The first open pull request of one branch into another; those from forks are others."""
        return next(iter(await self._all_opened(source, target)), None)

    async def open(self, draft: protocol.Draft) -> merge_requests.MergeRequest:
        """Open a pull request; Gitea opens two where two ask at once, and of those the first one stays."""
        request = await super().open(draft)
        attempts = backoffs.Attempts(_LOOKS)
        async for _ in attempts:
            requests = await self._all_opened(draft.source, draft.target)
            # Numbers are given before what has them is seen: whoever sees both closes the later one, even the other's.
            try:
                for later in requests[1:]:
                    if later.author == request.author:
                        await self._close(later)
            except (connections.Missing, errors.Unreachable) as error:
                attempts.failed(error)
                continue
            return requests[0] if requests else request
        raise attempts.error

    async def _close(self, request: merge_requests.MergeRequest) -> None:
        path, closed = f"{self._base}/pulls/{request.number}", {"state": "closed"}
        await self._connection.ask("PATCH", path, pulls.Pull, body=closed)

    async def _all_opened(self, source: str, target: str) -> list[merge_requests.MergeRequest]:
        """The open pull requests of one branch into another, the first one first."""
        params = {"state": "open"}
        path = f"{self._base}/pulls"
        entries = self._connection.pages(path, pulls.Pull, params=params, size=self._size)
        requests = [pull.request async for pull in entries if pull.is_of(source, target)]
        return sorted(requests, key=lambda request: request.number)

    async def merged_by(self, commit: str, target: str) -> merge_requests.MergeRequest | None:
        """The pull request by which a commit came to be in a branch."""
        path = f"{self._base}/commits/{commit}/pull"
        try:
            pull = await self._connection.ask("GET", path, pulls.Pull)
        except connections.Missing:
            return None
        request = pull.request
        return request if (request.target, request.merged) == (target, commit) else None

    async def approvals(
        self, request: merge_requests.MergeRequest
    ) -> tuple[merge_requests.Approval, ...]:
        """Who approves it, and may write to the target."""
        return tuple(
            merge_requests.Approval(review.user.login, review.commit_id or "")
            for review in await self._reviews(request)
            if review.user is not None
            and review.state == "APPROVED"
            and review.official
            and not review.dismissed
        )
