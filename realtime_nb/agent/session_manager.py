"""Many sessions at once: opened, watched and closed by somebody who owns them all."""

from __future__ import annotations

import asyncio
import html
import logging
import re
import secrets
import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self

from realtime_nb.agent.managed_session import ManagedSession
from realtime_nb.analysis.columns.frames import frame
from realtime_nb.errors import (
    ConfigurationError,
    ConnectionFailedError,
    RealtimeError,
    SessionClosedError,
    at_call,
)
from realtime_nb.session.connect import connect
from realtime_nb.session.endpoints import Endpoint, RunningServer, local
from realtime_nb.session.session import Session

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MAX_ENDED_ROWS", "SessionManager"]

logger = logging.getLogger(__name__)

MAX_ENDED_ROWS = 100
"""Sessions that ended and are still in the table."""

_LOOK_S = 1.0
_MAX_SHOWN = 4
_SHOWN_COLUMNS = (
    *("session", "state", "because", "age_s", "idle_s", "last_activity"),
    *("user_messages", "responses", "function_calls", "errors", "reconnects"),
)


@at_call
class SessionManager:
    """Opens sessions by name, closes those in which nothing happens any more, and ends them all.

    ::

        async with rt.SessionManager("local", idle_s=300) as manager:
            session = await manager.create("anna", instructions="You are a receptionist.")
            await session.say("Hello")
            manager.get("anna") is session      # True
            manager.table()                     # one row per session
            await manager.close("anna")

    Use it as ``async with`` or, when you will call :meth:`close_all` yourself, as
    ``manager = await rt.SessionManager(…)``. ``"local"`` starts one local server for all. In a
    notebook, a cell that ends with the manager shows its table and keeps it up to date.

    Args:
        endpoint: as for :func:`realtime_nb.connect`; where sessions go that name none themselves.
        max_sessions: how many there may be at once, those that are being opened included.
        idle_s: a session in which nothing has happened for so long is closed; None: never. Speech
            in the user's audio, events and functions are something, silence that is sent is not.
        max_age_s: a session that was created so long ago is closed; None: never.
        close_within_s: how long the end of all of them may take. What is not over by then is named
            in a warning.
        options: as for :func:`realtime_nb.connect`, for every session.

    Raises:
        ConfigurationError: at once, for an unknown or impossible option or limit.
    """

    def __init__(
        self,
        endpoint: str | Endpoint | RunningServer = "local",
        *,
        max_sessions: int = 100,
        idle_s: float | None = 300.0,
        max_age_s: float | None = None,
        close_within_s: float = 15.0,
        **options: Any,
    ) -> None:
        if max_sessions < 1:
            raise ConfigurationError(f"max_sessions is {max_sessions}; give 1 or more.")
        limits = {"idle_s": idle_s, "max_age_s": max_age_s, "close_within_s": close_within_s}
        for name, limit in limits.items():
            if limit is not None and not limit > 0:
                raise ConfigurationError(f"{name} is {limit}; give seconds, more than 0.")
        connect(endpoint, **options)
        self._endpoint = endpoint
        self._options = options
        self._max_sessions = max_sessions
        self._idle_s = idle_s
        self._max_age_s = max_age_s
        self._close_within_s = close_within_s
        self._managed: dict[str, ManagedSession] = {}
        self._ended: deque[ManagedSession] = deque(maxlen=MAX_ENDED_ROWS)
        self._owned = AsyncExitStack()
        self._watching: asyncio.Task[None] | None = None
        self._over = False
        self._shown: deque[tuple[str, str]] = deque(maxlen=_MAX_SHOWN)  # display id, what it shows

    # --- beginning and end ---

    async def __aenter__(self) -> Self:
        if self._watching is not None or self._over:
            raise ConfigurationError("This manager was entered before. Make a new one.")
        if self._endpoint == "local":
            from realtime_nb.local.server import serve

            # A session that comes back may be there twice for a moment.
            server = serve(max_connections=2 * self._max_sessions)
            await self._owned.enter_async_context(server)
            self._endpoint = local(server.url, server.token, self._options.pop("model", None))
        self._watching = asyncio.create_task(self._watch())
        return self

    def __await__(self) -> Generator[Any, None, Self]:
        return self.__aenter__().__await__()

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        await self._end_all(complete=error is None)

    async def close_all(self) -> None:
        """Ends all sessions at once, and the manager; may be called twice.

        Raises:
            RecordingError: a recording could not be completed; everything else is ended.
        """
        await self._end_all(complete=True)

    async def _end_all(self, complete: bool) -> None:
        self._over = True
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        failures: list[BaseException] = []
        try:
            endings = self._ending_all(complete)
            done, late = await _waited(endings, self._close_within_s)
            failures = [error for one in done if (error := _failure(one)) is not None]
            if late:
                names = ", ".join(managed.name for managed in self._managed.values())
                logger.warning("Not ended within %g s: %s.", self._close_within_s, names)
        finally:
            await self._owned.aclose()
            self._refresh()
        if failures and complete:
            raise failures[0]

    def _ending_all(self, complete: bool) -> list[asyncio.Task[Any]]:
        endings: list[asyncio.Task[Any]] = []
        for managed in list(self._managed.values()):
            if managed.opening is not None and managed.session is None:
                managed.opening.cancel()
                endings.append(managed.opening)
            else:
                endings.append(self._end(managed, "the manager was closed", complete))
        return endings

    # --- sessions ---

    async def create(self, name: str | None = None, **options: Any) -> Session:
        """Opens a session; returns when it is open and configured.

        Args:
            name: by which it is known here; None: a new one.
            options: as for :func:`realtime_nb.connect`, before those of the manager; ``endpoint``
                among them.

        Raises:
            ConfigurationError: the name is taken, or an option can't be used.
            ConnectionFailedError: nobody answers, the server refuses, or there are ``max_sessions``
                already (then its ``code`` is ``session_limit_reached``).
            SessionClosedError: the manager is closed.
        """
        self._check_open()
        if len(self._managed) >= self._max_sessions:
            await self.close_stale()
            self._check_open()
        if len(self._managed) >= self._max_sessions:
            raise ConnectionFailedError(
                f"{self._max_sessions} sessions are open, as many as max_sessions allows. Close "
                "one, or allow more.",
                code="session_limit_reached",
            )
        name = name if name is not None else f"session_{secrets.token_hex(4)}"
        if name in self._managed:
            raise ConfigurationError(
                f"There is a session {name!r} already. Close it, or give another name."
            )
        opening = connect(**{"endpoint": self._endpoint, **self._options, **options})
        managed = ManagedSession(name, asyncio.get_running_loop().time)
        self._managed[name] = managed
        return await self._open(managed, opening)

    async def _open(self, managed: ManagedSession, opening: connect) -> Session:
        async def opened() -> Session:
            return await opening

        managed.opening = asyncio.create_task(opened())
        try:
            session = await managed.opening
        except BaseException as error:
            done = managed.opening.done() and not managed.opening.cancelled()
            if done and managed.opening.exception() is None:  # cancelled a moment too late
                await managed.opening.result().close(complete=False)
            self._gone(managed, "it could not be opened")
            task = asyncio.current_task()
            asked = task is not None and task.cancelling() > 0
            if isinstance(error, asyncio.CancelledError) and not asked:
                raise self._closed() from None
            raise
        managed.opened(session)
        if self._over:
            await self._end(managed, "the manager was closed", complete=False)
            raise self._closed()
        return session

    def get(self, name: str) -> Session | None:
        """Returns the open session of that name; None where there is none."""
        managed = self._managed.get(name)
        return None if managed is None or managed.state != "open" else managed.session

    async def close(self, name: str) -> bool:
        """Ends a session and everything that belongs to it.

        Returns whether there was one; a session that is closed already is no mistake.

        Raises:
            RecordingError: its recording could not be completed; everything else is ended.
        """
        managed = self._managed.get(name)
        if managed is None or managed.session is None:
            return False
        await asyncio.shield(self._end(managed, "it was closed", complete=True))
        return True

    async def close_stale(self) -> Sequence[str]:
        """Ends the sessions that are idle or too old, or ended by themselves; returns their names.

        It need not be called: the manager looks every second.
        """
        endings = self._end_stale()
        await _waited(endings.values(), None)
        return [*endings]

    def _end_stale(self) -> dict[str, asyncio.Task[Any]]:
        due = {managed: self._due(managed) for managed in self._managed.values()}
        return {
            managed.name: self._end(managed, because, complete=True)
            for managed, because in due.items()
            if because is not None
        }

    def _due(self, managed: ManagedSession) -> str | None:
        """Returns why a session is to be closed; None where it may go on."""
        session = managed.session
        if session is None or managed.state != "open":
            return None
        if session.closed:
            return f"it ended: {session.ended}"
        if self._max_age_s is not None and managed.age_s >= self._max_age_s:
            return f"it is older than {self._max_age_s:g} s"
        if self._idle_s is not None and managed.idle_s >= self._idle_s:
            return f"nothing happened in it for {self._idle_s:g} s"
        return None

    # --- the end of one ---

    def _end(self, managed: ManagedSession, because: str, complete: bool) -> asyncio.Task[None]:
        if managed.ending is None:
            managed.state, managed.because = "closing", because
            managed.ending = asyncio.create_task(self._close(managed, complete))
        return managed.ending

    async def _close(self, managed: ManagedSession, complete: bool) -> None:
        assert managed.session is not None
        try:
            await managed.session.close(complete=complete)
        except RealtimeError as error:
            managed.because = f"{managed.because}; {error}"
            logger.warning("Session %s: %s", managed.name, error)
            raise
        finally:
            self._gone(managed, managed.because or "")

    def _gone(self, managed: ManagedSession, because: str) -> None:
        managed.because = because
        managed.closed()
        self._managed.pop(managed.name, None)
        self._ended.append(managed)

    def _check_open(self) -> None:
        if self._over:
            raise self._closed()
        if self._watching is None:
            raise ConfigurationError(
                "This manager was not begun. Use it as `async with rt.SessionManager(…)`, or as "
                "`manager = await rt.SessionManager(…)`."
            )

    @staticmethod
    def _closed() -> SessionClosedError:
        return SessionClosedError("The manager was closed, and with it all of its sessions.", 1000)

    # --- watching ---

    async def _watch(self) -> None:
        """Looks for sessions that are to be closed, until it is cancelled."""
        limits = [limit / 4 for limit in (self._idle_s, self._max_age_s) if limit is not None]
        look_s = min([_LOOK_S, *limits])
        while True:
            await asyncio.sleep(look_s)
            try:
                for ending in self._end_stale().values():
                    ending.add_done_callback(_failure)  # it was logged; nobody else asks
                self._refresh()
            except Exception:
                logger.exception("Looking for stale sessions failed; the next look comes")

    # --- what is known ---

    def list(self) -> Sequence[str]:
        """Returns the names of the open sessions, in the order of their creation."""
        return [name for name, managed in self._managed.items() if managed.state == "open"]

    def __iter__(self) -> Iterator[str]:
        return iter(self.list())

    def __len__(self) -> int:
        return len(self._managed)

    def __contains__(self, name: object) -> bool:
        return name in self.list()

    def table(self) -> pd.DataFrame:
        """Returns one row per session, and one for each of the last 100 that ended.

        ``attrs["columns"]`` tells what the columns are.
        """
        known = (*self._ended, *self._managed.values())
        return frame("sessions", [managed.row() for managed in known])

    def __repr__(self) -> str:
        state = "closed" if self._over else "not begun" if self._watching is None else "running"
        return f"<SessionManager {state}, {len(self)} of {self._max_sessions} sessions>"

    def _repr_html_(self) -> str:
        rows = self.table()[[*_SHOWN_COLUMNS]]
        words = html.escape(repr(self).strip("<>"))
        table = rows.to_html(index=False, na_rep="", float_format="{:.0f}".format, border=0)
        # Headings may break after "_", so that there is room for sentences.
        return f"<p>{words}</p>{re.sub('_(?=[a-z_]*</th>)', '_<wbr>', table)}"

    def _ipython_display_(self) -> None:
        """Shows the table; in a notebook it is kept up to date, for the last four that show it."""
        from IPython import get_ipython
        from IPython.display import display

        data = {"text/plain": repr(self), "text/html": self._repr_html_()}
        if getattr(get_ipython(), "kernel", None) is None:
            display(data, raw=True)  # type: ignore[no-untyped-call]
            return
        handle = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        self._shown.append((handle.display_id, data["text/html"]))

    def _refresh(self) -> None:
        if not self._shown:
            return
        update = sys.modules["IPython.display"].update_display
        now = {"text/plain": repr(self), "text/html": self._repr_html_()}
        for n, (display_id, shown) in enumerate(self._shown):
            if shown != now["text/html"]:
                update(now, raw=True, display_id=display_id)
                self._shown[n] = (display_id, now["text/html"])


async def _waited(
    tasks: Iterable[asyncio.Task[Any]], timeout_s: float | None
) -> tuple[set[asyncio.Task[Any]], set[asyncio.Task[Any]]]:
    """Waits for tasks; returns those that are done, and those that are not."""
    waited_for = set(tasks)
    return await asyncio.wait(waited_for, timeout=timeout_s) if waited_for else (set(), set())


def _failure(task: asyncio.Task[Any]) -> BaseException | None:
    """Returns what a task failed with, if it did."""
    return None if task.cancelled() else task.exception()
