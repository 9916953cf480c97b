"""The Application through Argo CD's API: what hanbae may do there, Argo CD's RBAC and sync windows decide.

It differs from the object in three things, all hidden here.
A refresh is over when its answer comes.
An automated Application may only be synced to the head of its branch, so whether that is the wanted commit is seen
from the answer, and an operation for another one is ended at once.
And an operation is told to end without saying which one: it is read immediately before.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

from hanbae import errors, object_shapes, subjects
from hanbae.argo import applications, operations
from hanbae.argocd_api import answers, application_calls, connections
from hanbae.clusters import kinds, watching
from hanbae.engines import protocol
from hanbae.engines.argocd import application_handles, transports
from hanbae.results import plans
from hanbae.streams import backoffs


class Application:
    """One Application of one Argo CD.

    Args:
        server: Argo CD.
        ref: The Application.
        project: Its project.
    """

    def __init__(self, server: connections.Server, ref: subjects.Ref, *, project: str) -> None:
        self.ref = ref
        self._server = server
        self._address = application_calls.Address(ref.name, project, ref.namespace)

    async def read(self) -> kinds.Object | None:
        """The object now, or None."""
        answer = await application_handles.persist(
            lambda: application_calls.get(self._server, self._address)
        )
        return None if answer is None else kinds.APPLICATION.complete(answer)

    async def watch(
        self, *, present: kinds.Object | None = None
    ) -> AsyncGenerator[watching.WatchEvent]:
        """Every version of the object; see :class:`hanbae.engines.argocd.transports.Application`."""
        changes = application_calls.watch(self._server, self._address, present=present)
        async with aclosing(changes) as stream:
            async for version in stream:
                application = kinds.APPLICATION.complete(version.application)
                yield watching.WatchEvent(version.type, application)

    async def existing(self, *, within: float = transports.APPEARS_WITHIN) -> kinds.Object:
        """The object; see :class:`hanbae.engines.argocd.transports.Application`.

        Nobody can be asked to look: that would take rights on ApplicationSets, which a project's role has not.
        """
        application = await self.read()
        if application is not None:
            return application
        application = await transports.appearance(self, within)
        if application is not None:
            return application
        raise errors.Refused(
            "argocd-api.no-application",
            application=self.ref.name,
            project=self._address.project,
            server=self._server.url,
            seconds=f"{within:g}",
        )

    async def refresh(self, how: object_shapes.RefreshKind = "normal") -> kinds.Object:
        """Have Argo CD look at the repository; the answer comes when it has."""
        present = await self.read()
        if present is not None and applications.is_refreshing(present, "hard"):
            how = "hard"  # somebody has asked for more, which a request for less would replace
        answer = await application_handles.persist(
            lambda: application_calls.refresh(self._server, self._address, how=how)
        )
        return kinds.APPLICATION.complete(answer)

    async def ask(
        self,
        does: plans.Synced,
        key: str,
        by: str,
        *,
        about: Mapping[str, str] | None = None,
    ) -> kinds.Object:
        """Start the operation, or find the one with the key; `by` is the token's user, whatever is said here.

        Raises:
            hanbae.engines.protocol.Busy: Somebody else's operation is active.
            hanbae.errors.Refused: A sync window forbids it.
            hanbae.errors.Forbidden: The token's role may not ``sync``.
            hanbae.errors.Unreachable: Argo CD did not take it.
            hanbae.engines.protocol.HeadMoved: The head of the branch is another commit; nothing runs any more.
        """
        attempts = backoffs.Attempts(transports.ATTEMPTS)
        async for _ in attempts:
            application = transports.present(self.ref, await self.read())
            if transports.carries(self.ref, application, key):
                return await self._checked(application, does, key)
            request = operations.request(
                application,
                revision="" if applications.is_automated(application) else does.revision,
                key=key,
                only=transports.chosen(does),
                about=about,
            )
            try:
                answer = await application_calls.sync(self._server, self._address, request)
            except (answers.Busy, answers.Unanswered):
                # Whose it is, and whether it was ours after all, is read back.
                attempts.failed(transports.not_taken(self.ref))
                continue
            return await self._checked(kinds.APPLICATION.complete(answer), does, key)
        raise attempts.error

    async def _checked(
        self, application: kinds.Object, does: plans.Synced, key: str
    ) -> kinds.Object:
        """The Application, if its operation is for the wanted commit."""
        current = operations.current(application)
        if current is None or not current.active or current.revision in {"", does.revision}:
            return application
        await self.terminate(lambda active: active.key == key)
        raise protocol.HeadMoved("argo.head-is-other", revision=current.revision)

    async def idle(self) -> None:
        """Wait until no operation is asked for or runs."""
        await transports.idleness(self)

    async def terminate(self, is_ours: Callable[[operations.Operation], bool]) -> bool:
        """End an operation; see :class:`hanbae.engines.argocd.transports.Application`."""
        last = await self.read()
        active = operations.active(last) if last is not None else None
        if last is None or active is None or not is_ours(active):
            return False
        was_told = active.phase == operations.TERMINATING
        # It may go before the watch begins.
        versions = self.watch(present=watching.unversioned(last))
        try:
            async with asyncio.timeout(transports.ENDS_WITHIN), aclosing(versions) as stream:
                async for version in stream:
                    active = operations.active(version.object)
                    if version.type == "deleted" or active is None or not is_ours(active):
                        return was_told
                    if active.phase == operations.TERMINATING:
                        was_told = True  # by us, or by somebody before us
                    # One that has not begun cannot be told to end; it is as soon as it has.
                    elif active.phase == "Running":
                        was_told = await self._tell_to_end(is_ours) or was_told
        except TimeoutError:
            pass
        command = ["argocd", "app", "get", f"{self.ref.namespace}/{self.ref.name}"]
        raise transports.stuck(self.ref, shlex.join(command + self._server.options))

    async def _tell_to_end(self, is_ours: Callable[[operations.Operation], bool]) -> bool:
        application = await self.read()
        active = operations.active(application) if application else None
        if active is None or active.phase != "Running" or not is_ours(active):
            return False
        try:
            await application_calls.terminate(self._server, self._address)
        except answers.Idle:
            return False  # the next version of the Application tells what became of it
        except answers.Unanswered:
            return True  # it may have been taken; if it was not, the next version has it told again
        return True
