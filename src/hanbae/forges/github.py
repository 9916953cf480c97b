"""GitHub, and its enterprise servers."""

from __future__ import annotations

import contextlib
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from hanbae.forges import connections, logins, pulls
from hanbae.results import merge_requests

_WRITERS: Final = frozenset({"admin", "maintain", "write"})


class _Permission(Struct):
    permission: str


class GitHub(pulls.Pulls):
    """A repository of GitHub's."""

    async def opened(self, source: str, target: str) -> merge_requests.MergeRequest | None:
        """The open pull request of one branch into another."""
        owner = self._project.partition("/")[0]
        params = {"state": "open", "head": f"{owner}:{source}", "base": target}
        path = f"{self._base}/pulls"
        async for pull in self._connection.pages(path, pulls.Pull, params=params, size=self._size):
            if pull.is_of(source, target):
                return pull.request
        return None

    async def merged_by(self, commit: str, target: str) -> merge_requests.MergeRequest | None:
        """The pull request by which a commit came to be in a branch."""
        path = f"{self._base}/commits/{commit}/pulls"
        listed = self._connection.pages(path, pulls.Pull, params={}, size=self._size)
        with contextlib.suppress(connections.Missing):
            # Anybody can open any number of others that have the commit, from a fork.
            async for pull in listed:
                request = pull.request
                if (request.target, request.merged) == (target, commit):
                    return request
        return None

    async def approvals(
        self, request: merge_requests.MergeRequest
    ) -> tuple[merge_requests.Approval, ...]:
        """Who approves it, and may write to the repository: anybody may approve in a public one."""
        approvals = []
        for review in await self._reviews(request):
            if review.user is None or review.state != "APPROVED":
                continue
            # A review itself does not say whether its author may write to the repository.
            path = f"{self._base}/collaborators/{quote(review.user.login, safe='')}/permission"
            permission = await self._connection.ask("GET", path, _Permission)
            if permission.permission in _WRITERS:
                approval = merge_requests.Approval(review.user.login, review.commit_id or "")
                approvals.append(approval)
        return tuple(approvals)


def api(login: logins.Login) -> str:
    """The address of the API: a host of its own at github.com and ghe.com, a path at an enterprise server."""
    if login.host == "github.com" or login.host.endswith(".ghe.com"):
        return f"https://api.{login.host}"
    return f"{login.url}/api/v3"
