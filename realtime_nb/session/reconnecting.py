"""When a lost connection is worth trying again, how long is waited, and what is told then."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from realtime_nb.errors import (
    ConfigurationError,
    ConnectionFailedError,
    ServerError,
    SessionClosedError,
    at_call,
)
from realtime_nb.errors.option_names import takes_names
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.restoring import (
    MAX_RESTORED_ITEMS,
    history_items,
    is_spoken,
    summary_of,
)

__all__ = ["ENDINGS", "Attempts", "HistoryKind", "Reconnect", "restored_history", "why_final"]

HistoryKind = Literal["items", "summary", "none"]
HistoryMaker = Callable[[Conversation], "str | list[JsonObject]"]

ENDINGS: dict[str, str | None] = {
    # close codes
    "1000": "the server ended the session",
    "1001": None,  # it went away, or the session has lasted as long as it may
    "1002": "the server says that the protocol was broken",
    "1003": "the server does not take such data",
    "1005": None,  # closed without a word
    "1006": None,  # broken off
    "1007": "the server could not read what it got",
    "1008": "the server refuses the session by its policy",
    "1009": "a message was too large for the server",
    "1010": "the server lacks an extension",
    "1011": None,  # it failed
    "1012": None,  # it is being restarted
    "1013": None,  # it is overloaded
    "1014": None,  # a gateway before it failed
    "3000": "the key was refused",
    "4000": "the server refuses the session",
    # HTTP, before the session
    "408": None,
    "425": None,
    "429": None,
    "5xx": None,
    # errors that came before the end, and count more than its code
    "invalid_api_key": "the key was refused",
    "insufficient_quota": "the account has no quota left",
    "billing_hard_limit_reached": "the account has no quota left",
    "account_deactivated": "the account is closed",
    "model_not_found": "there is no such model",
    "invalid_model": "there is no such model",
    "missing_model": "no model was named",
    "beta_api_shape_disabled": "the server does not speak the beta interface any more",
    "certificate": "the server's certificate is not valid",
    "session_expired": None,
    "server_error": None,
    "rate_limit_exceeded": None,
}
"""How a connection can end, and why it is not worth trying again; None: it is. What is not listed
is by its kind: other HTTP statuses and close codes from 3000 on are refusals, the rest is not."""


def why_final(code: object, error_code: str | None = None) -> str | None:
    """Returns why an ending is final; None where the connection is worth trying again.

    Args:
        code: a close code, an HTTP status or an error's code, as a number or a word; None where
            nobody answered.
        error_code: of the error event that came right before it.
    """
    if error_code in ENDINGS:
        return ENDINGS[error_code or ""]
    name = str(code)
    if name in ENDINGS:
        return ENDINGS[name]
    if not name.isdigit():
        return None
    number = int(name)
    if number < 1000:
        return None if number >= 500 else f"the server refused it with HTTP {number}"
    return None if number < 3000 else f"the server refuses the session ({number})"


@at_call
@takes_names
@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnect:
    """How a session comes back when its connection is lost.

    The wait before attempt *n* is a random part of ``first_s * factor ** (n - 1)``, at most of
    ``max_s`` ("full jitter": Marc Brooker, *Exponential Backoff And Jitter*, AWS Architecture Blog,
    2015), and never shorter than a server's ``Retry-After``.

    Attributes:
        first_s: the longest wait before the first attempt.
        factor: by which it grows.
        max_s: the longest wait of all.
        budget_s: how long it is tried, from the loss on, waits included.
        jitter: False waits as long as it may each time.
        history: what the new session is told: the conversation as ``"items"`` (what is older than
            its last 200 as a summary), a ``"summary"`` in the instructions, ``"none"``, or what a
            function makes of the conversation: a text or a list of items.
        playback: what becomes of the answer that is being played: it is played to the end of what
            has arrived (``"finish"``), or it stops (``"stop"``).
        spoken: what the agent says, word for word, when it is back and the user was cut off; None:
            nothing.
        before_expiry_s: how long before its server ends it a session is moved to a new connection,
            at the first silence.

    Raises:
        ConfigurationError: a number that is none, or a word that is not among those above.
    """

    first_s: float = 0.5
    factor: float = 2.0
    max_s: float = 15.0
    budget_s: float = 120.0
    jitter: bool = True
    history: HistoryKind | HistoryMaker = "items"
    playback: Literal["finish", "stop"] = "finish"
    spoken: str | None = None
    before_expiry_s: float = 120.0

    def __post_init__(self) -> None:
        for name in ("first_s", "max_s", "budget_s", "before_expiry_s"):
            _check_number(name, getattr(self, name), 0)
        _check_number("factor", self.factor, 1)
        if not callable(self.history) and self.history not in get_args(HistoryKind):
            raise ConfigurationError(
                f"history is {self.history!r}; give 'items', 'summary', 'none' or a function of "
                "the conversation."
            )
        if not isinstance(self.jitter, bool):
            raise ConfigurationError(f"jitter is {self.jitter!r}; give True or False.")
        spoken = self.spoken
        if spoken is not None and not (isinstance(spoken, str) and spoken.strip()):
            raise ConfigurationError(f"spoken is {spoken!r}; give a text, or None for nothing.")
        if self.playback not in ("finish", "stop"):
            raise ConfigurationError(f"playback is {self.playback!r}; give 'finish' or 'stop'.")

    def waits_s(self, random_part: Callable[[], float] = random.random) -> Iterator[float]:
        """Yields the wait before each attempt, in seconds.

        Args:
            random_part: gives numbers from 0 to 1.
        """
        longest_s = self.first_s
        while True:
            wait_s = min(longest_s, self.max_s)
            yield wait_s * random_part() if self.jitter else wait_s
            longest_s = min(longest_s * self.factor, self.max_s)


def _check_number(name: str, value: object, least: float) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not least <= float(str(value)) < math.inf:
        raise ConfigurationError(f"{name} is {value!r}; give a number from {least:g} on.")


def restored_history(
    conversation: Conversation,
    history: HistoryKind | HistoryMaker,
    audio_of: Callable[[str], str | None],
) -> tuple[list[JsonObject], str]:
    """Returns what a new session is told: items, and a summary for its instructions ("": none).

    ``audio_of`` tells the audio of turns that have no transcript; no summary could.
    """
    if callable(history):
        made = history(conversation)
        return ([], made) if isinstance(made, str) else (list(made), "")
    if history == "none":
        return [], ""
    items = history_items(conversation, audio_of=audio_of)
    if history == "summary":
        return [item for item in items if is_spoken(item)], summary_of(items)
    cut = max(0, len(items) - MAX_RESTORED_ITEMS)
    while cut < len(items) and items[cut]["type"] == "function_call_output":
        cut += 1  # it would answer a call that is told of in the summary
    return items[cut:], summary_of(items[:cut])  # audio so old has long had its transcript


class Attempts:
    """The attempts to get one lost connection back.

    Args:
        policy: how long is waited, and for how long it is tried.
        dial: opens a transport and makes a session of it again.
        retrying: is told of each attempt: its number, the wait, and why the one before failed.
        clock: seconds.
    """

    def __init__(
        self,
        policy: Reconnect,
        dial: Callable[[], Awaitable[None]],
        retrying: Callable[[int, float, str], None],
        clock: Callable[[], float],
    ) -> None:
        self._policy = policy
        self._dial = dial
        self._retrying = retrying
        self._clock = clock

    async def run(self) -> str | None:
        """Returns None when the session is back, or why it is given up."""
        end_s = self._clock() + self._policy.budget_s
        why, least_s = "", 0.0
        for number, wait_s in enumerate(self._policy.waits_s(), start=1):
            wait_s = max(wait_s, least_s)
            if self._clock() + wait_s > end_s:
                tried = f"{self._policy.budget_s:g} s"
                return f"no connection within {tried}" + (f" ({why})" if why else "")
            self._retrying(number, wait_s, why)
            await asyncio.sleep(wait_s)
            try:
                await self._dial()
                return None
            except ConnectionFailedError as failed:
                final = why_final(failed.code)
                if final is not None:
                    return f"{final}: {failed}"
                why, least_s = str(failed), failed.retry_after_s or 0.0
            except ServerError as refused:
                return str(refused)
            except SessionClosedError as closed:
                final = why_final(closed.close_code)
                if final is not None:
                    return f"{final} ({closed})"
                why, least_s = str(closed), 0.0
        raise AssertionError("waits never end")
