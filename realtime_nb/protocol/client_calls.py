"""Functions that the model calls: which of them are run here, and when all are answered.

A call is run once, from the first event that reports it whole; the response that speaks about the
outputs of a response is asked for once all of them are posted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from realtime_nb.protocol.arbiter import declared_in
from realtime_nb.protocol.client_actions import CallTool
from realtime_nb.protocol.conversation import Conversation, FunctionCall
from realtime_nb.protocol.events import JsonObject

__all__ = ["ClientCalls"]


class ClientCalls:
    """The calls of one session.

    Args:
        conversation: the fold.
        answers: names of the functions that the driver can run.
        run: has one run.
        ask: asks for the response that speaks about outputs.

    Attributes:
        answers: as it was given; may be replaced.
    """

    def __init__(
        self,
        conversation: Conversation,
        answers: Iterable[str],
        run: Callable[[CallTool], None],
        ask: Callable[[], None],
    ) -> None:
        self.answers = set(answers)
        self._conversation = conversation
        self._run = run
        self._ask = ask
        self._seen: set[str] = set()
        self._declared_apart: set[str] = set()  # functions of single responses
        self._open: dict[str, set[str]] = {}  # response → calls without an output

    @property
    def waiting(self) -> bool:
        """Whether functions run, or what they came to is still to be spoken about."""
        return bool(self._open)

    def of_response(self, response_id: str) -> bool:
        """Tells whether that is so of one response."""
        return response_id in self._open

    def declared(self, response: object) -> None:
        """Takes note of the functions that a ``response.create`` declares for itself."""
        self._declared_apart.update(declared_in(response))

    def take(self, item: JsonObject, response_id: str) -> None:
        """Has a function run, the first time that its call is reported whole."""
        call_id = item.get("call_id")
        if not isinstance(call_id, str) or call_id in self._seen:
            return
        known = self._conversation.calls.get(call_id) or FunctionCall(call_id)
        name = str(item.get("name") or known.name)
        if item.get("status", "completed") != "completed" or self._left_to_others(name):
            return
        self._seen.add(call_id)
        self._open.setdefault(response_id, set()).add(call_id)
        arguments = str(item.get("arguments") or known.arguments)
        item_id = str(item.get("id") or known.item_id)
        self._run(
            CallTool(FunctionCall(call_id, name, arguments, item_id, response_id, "completed"))
        )

    def answered(self, call: FunctionCall) -> None:
        """Takes note that the output of a call was posted."""
        if call.response_id in self._open:
            self._open[call.response_id].discard(call.call_id)
            self.finish(call.response_id)

    def finish(self, response_id: str) -> None:
        """Asks for the response that speaks about tool outputs, once all of them are posted."""
        response = self._conversation.responses.get(response_id)
        if self._open.get(response_id) != set() or (response and response.active):
            return
        del self._open[response_id]
        self._ask()

    def lost(self) -> None:
        """Takes note that no response runs any more."""
        for response_id in list(self._open):
            self.finish(response_id)

    def _left_to_others(self, name: str) -> bool:
        """Tells whether somebody else answers calls of a function: who has declared it.

        A stored prompt brings declarations along that nobody here is told of. What nobody has
        declared is answered here: the model would wait for it.
        """
        if name in self.answers:
            return False
        session = self._conversation.session
        tools = session.get("tools")
        declared = [tool.get("name") for tool in tools or () if isinstance(tool, dict)]
        return name in declared or name in self._declared_apart or bool(session.get("prompt"))
