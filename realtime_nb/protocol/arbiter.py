"""Who may ask for a response, and when: one ``response.create`` at a time.

A server refuses a second response in the default conversation while one runs, and starts some by
itself when a turn ends. So a request waits for the running response, and one that lost the race
against the server's own is sent again after it, as is the server's own when it lost against ours.
While the user speaks, nothing is asked for: the agent would talk over them; a request that is under
way as they begin is withdrawn, and waits with the others. Requests that want
nothing particular and wait at the same time are one: a response answers all that was said before
it, and a second one would answer nobody. A filler, said while a function runs, is asked for only
where nothing else is going on, and never twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.events import ErrorEvent, JsonObject
from realtime_nb.protocol.races import RACES, is_race

__all__ = ["FILLER", "ResponseArbiter", "declared_in", "is_apart", "lost_race"]

FILLER: JsonObject = {"realtime_nb": "filler"}
"""The metadata of a response that is said while a function runs, and is no answer."""


class ResponseArbiter:
    """The requests for responses of the default conversation.

    A request that was sent stays in flight until a response that was created after it is done:
    only then can no refusal of it come any more, whoever had asked for that response. A server
    takes events in order, so it refuses a request before the response that was in its way ends,
    or not at all.

    It sends one request at a time. That is why an error that names no event can be matched, and why
    a request that lost a race can go first again without overtaking another.

    Args:
        conversation: tells which response runs.
        send: sends a ``response.create``; the sender reports it to :meth:`sent`.
    """

    def __init__(self, conversation: Conversation, send: Callable[[JsonObject], object]) -> None:
        self._conversation = conversation
        self._send = send
        self._waiting: deque[JsonObject] = deque()
        self._in_flight: JsonObject | None = None
        self._results_wait = False  # what waits is to tell results of functions, too
        self._results_sent = False  # what is in flight is to tell them
        self._results_owed = False  # the server's own answer to a turn is to tell them
        self._answered = False  # a response was created since; it need not be the one asked for
        self._answered_a_turn = False  # it was the server's own, so the request may be refused yet
        self._repeat = True  # whether the request is still wanted if it loses a race
        self._held = False
        self._offline = False
        self._filled = ""  # the response whose functions need no filler any more
        self._filling = False  # what is in flight is one
        self._withdrawn = False  # and the user began to speak before it did

    @property
    def busy(self) -> bool:
        """Whether a request is in flight or waits."""
        return self._in_flight is not None or bool(self._waiting)

    @property
    def unanswered(self) -> bool:
        """Whether a request was sent and no response was created since."""
        return self._in_flight is not None and not self._answered

    @property
    def tells_results(self) -> bool:
        """Whether the request that was sent, and not answered yet, is to tell results of
        functions."""
        return self.unanswered and self._results_sent

    @property
    def withdrawn(self) -> bool:
        """Whether the request that was sent, and not answered yet, is one into which the user has
        begun to speak: it waits again, or was a filler."""
        return self.unanswered and self._withdrawn

    def ask(self, event: JsonObject, results: bool = False) -> None:
        """Sends a ``response.create`` now, or as soon as the running response is done and the user
        is silent; ``results``: it is to tell results of functions."""
        self._results_wait |= results
        if event.get("response") or all(waits.get("response") for waits in self._waiting):
            self._waiting.append(event)
        self._next()

    def may_fill(self, response_id: str) -> bool:
        """Tells whether a filler may be asked for now, for functions that a response called.

        Nothing else may be said or be about to, by whomever, and nothing may have been since.
        """
        conversation = self._conversation
        quiet = conversation.turn == "silent" and conversation.active_response is None
        speaks_by_hand = conversation.turn_detection is None and conversation.uncommitted_ms > 0
        if self.busy or self._held or self._offline or speaks_by_hand or not quiet:
            return False
        return self._last_response() == response_id != self._filled

    def fill(self, response_id: str, response: JsonObject) -> None:
        """Asks for a filler, once: where the request is lost, nobody misses it."""
        self._filled = response_id
        self._send({"type": "response.create", "response": {**response, "metadata": FILLER}})
        self._filling, self._repeat = True, False

    def _last_response(self) -> str:
        responses = reversed(self._conversation.responses.values())
        return next((one.id for one in responses if one.in_conversation), "")

    def hold(self) -> None:
        """Has requests wait, because the user speaks."""
        # For ever is impossible: whatever ends the user's speech, and detection being turned off,
        # calls release().
        self._held = True
        self._withdrawn |= self._filling and self.unanswered

    def release(self, answered: bool) -> None:
        """Lets requests go, because the user is silent.

        Args:
            answered: the server answers the turn by itself; that response stands for what waited,
                but for requests that want something particular.
        """
        if not self._held:  # a second word of the same silence: what was asked since still counts
            return
        self._held = False
        if answered:
            self._waiting = deque(event for event in self._waiting if event.get("response"))
            self._results_owed, self._results_wait = self._results_wait, False
        self._next()

    def sent(self, event: JsonObject) -> None:
        """Takes note of a request that goes out, with its ``event_id``."""
        self._in_flight = event
        self._results_sent = False
        self._answered = self._answered_a_turn = False
        self._filling = self._withdrawn = False
        self._repeat = True

    def drop(self) -> None:
        """Gives up what waits; what is in flight is not repeated."""
        self._waiting.clear()
        self._results_wait = False
        self._repeat = False
        self._filled = self._last_response()  # whoever was hushed is silent

    def created(self, answers_turn: bool) -> bool:
        """Notes that a response began; ``answers_turn``: the server owed it to a turn.

        Returns whether it is to tell results of functions.
        """
        self._answered = True
        self._answered_a_turn = answers_turn
        if answers_turn:
            told, self._results_owed = self._results_owed, False
            return told
        return self._in_flight is not None and self._results_sent

    def withdraw(self) -> None:
        """Has the request that is under way wait with the others, as the user speaks.

        It is cancelled once it is answered, and not before: a cancel without an id could strike the
        server's own answer to what the user says.
        """
        if self._in_flight is not None and self.unanswered and self._repeat:
            self._wait_again(self._in_flight)
            self._withdrawn, self._repeat = True, False

    def _wait_again(self, event: JsonObject) -> None:
        """Puts a request before those that wait, with an id of its own; it stands for those like it
        that came since."""
        again = {key: value for key, value in event.items() if key != "event_id"}
        if not again.get("response"):
            self._waiting = deque(waits for waits in self._waiting if waits.get("response"))
        self._results_wait |= self._results_sent
        self._results_sent = False
        self._waiting.appendleft(again)

    def lost(self) -> None:
        """Keeps what is still wanted, now that the connection is lost, until `resumed`."""
        event, self._in_flight = self._in_flight, None
        # What has begun to be answered is asked for by who knows what became of that answer.
        if event is not None and self._repeat and not self._answered:
            again = {key: value for key, value in event.items() if key != "event_id"}
            if again.get("response") or all(waits.get("response") for waits in self._waiting):
                self._waiting.appendleft(again)
            self._results_wait |= self._results_sent
        self._results_wait |= self._results_owed
        self._results_owed = self._answered = self._answered_a_turn = False
        self._held = False
        self._offline = True

    def resumed(self) -> None:
        """Sends what waits, now that a server is there again."""
        self._offline = False
        self._next()

    def done(self, response_id: str) -> None:
        """Sends what waits, if it may go now that a response is over."""
        response = self._conversation.responses.get(response_id)
        if response and response.in_conversation and not response.announced:
            self.created(answers_turn=False)  # of a server that does not say when one begins
        if self._answered:
            self._in_flight = None
        self._next()

    def refused(self, error: ErrorEvent) -> bool:
        """Tells whether the error was about the request in flight, which then is no longer."""
        event, lost = self._in_flight, lost_race(error)
        if event is None or not self._is_about(event, error, lost):
            return False
        self._in_flight = None
        if lost and self._repeat:
            # It waits for the end of the response that won, whose done() is still to come. With an
            # id of its own, a late error about the first attempt is not taken for the second's.
            self._wait_again(event)
        elif not (lost and self._withdrawn):
            if self._withdrawn:  # it would be refused again
                again = {key: value for key, value in event.items() if key != "event_id"}
                self._waiting = deque(waits for waits in self._waiting if waits != again)
            self._next()
        return True

    def _is_about(self, request: JsonObject, error: ErrorEvent, lost: bool) -> bool:
        """Tells whether an error is about the request in flight, of which there is one."""
        if error.caused_by is not None:
            return bool(error.caused_by == request["event_id"])
        if error.code in RACES and not lost:
            return False  # another request lost a race
        # Some servers don't name the event. A response that answered no turn was ours, so the
        # error is about something else. One that did may have come in the way of ours: then only
        # the words of a lost race tell that the error is about the request.
        return not self._answered or (lost and self._answered_a_turn)

    def _next(self) -> None:
        free = self._in_flight is None and self._conversation.active_response is None
        if self._waiting and free and not (self._held or self._offline):
            event = self._waiting.popleft()
            self._send(event)
            if not event.get("response"):
                self._results_sent, self._results_wait = self._results_wait, False


def is_apart(event: JsonObject) -> bool:
    """Tells whether a ``response.create`` stays out of the conversation."""
    return (event.get("response") or {}).get("conversation") == "none"


def declared_in(response: object) -> set[str]:
    """Returns the names of the functions that one response may call."""
    tools = response.get("tools") if isinstance(response, dict) else None
    named = tools if isinstance(tools, list) else []
    return {str(tool.get("name")) for tool in named if isinstance(tool, dict)}


def lost_race(error: ErrorEvent) -> bool:
    """Tells whether the server refused a response because another one runs."""
    return is_race(error.code, error.message, "response.create")
