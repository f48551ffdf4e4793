"""Functions that a model may call: described to it, run for it, answered to it.

It knows neither protocol nor sessions. Functions come in, and the arguments that a model wrote;
JSON schemas and outputs, which are texts, go out. What other rooms need is in ``tool``.
"""

from realtime_nb.tools.filler import Filler
from realtime_nb.tools.running import ToolOutcome, ToolResult, failure
from realtime_nb.tools.tool import (
    DEFAULT_TIMEOUT_S,
    Definition,
    Tool,
    ToolSource,
    collect,
    definitions,
    notebook_loop,
    tool,
    tool_list,
)
from realtime_nb.tools.tool_call import ToolCall

__all__ = [
    "DEFAULT_TIMEOUT_S",
    "Definition",
    "Filler",
    "Tool",
    "ToolCall",
    "ToolOutcome",
    "ToolResult",
    "ToolSource",
    "collect",
    "definitions",
    "failure",
    "notebook_loop",
    "tool",
    "tool_list",
]
