"""Functions as tools: a Python function → JSON schema → call → output.

::

    @tool
    def book(date: str, people: int = 2) -> str:
        '''Book a table.

        Args:
            date: The day, as YYYY-MM-DD.
            people: How many will come.
        '''

The schema comes from the annotations, the defaults, pydantic's ``Field`` and the docstring. The
arguments that a model sends are checked against it before the function runs; what goes wrong comes
back as an output that the model can act on, never as a traceback.
"""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, cast, get_args, get_type_hints, overload

import pydantic
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema

from realtime_nb.errors import ConfigurationError, ToolError, at_call
from realtime_nb.errors.option_names import takes_names
from realtime_nb.tools import docstrings, running
from realtime_nb.tools.filler import DEFAULT_FILLER_AFTER_S, filler_of
from realtime_nb.tools.running import ToolResult
from realtime_nb.tools.tool_call import ToolCall

__all__ = [
    "Definition",
    "Tool",
    "ToolSource",
    "collect",
    "definitions",
    "notebook_loop",
    "tool",
    "tool_list",
]

Definition = dict[str, Any]
"""A tool as ``session.update`` carries it."""

DEFAULT_TIMEOUT_S = 30.0
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Tool:
    """A function that a model may call. Made by :func:`tool`.

    Attributes:
        name: What the model calls it by.
        description: When and why to call it; the docstring without its sections.
        parameters: JSON schema of the arguments.
        timeout_s: How long a call may take; None: as long as it likes.
        main_thread: Whether it runs on the notebook's own loop; without an agent, on the session's.
        filler: What the agent says when a call takes long; None: nothing.
    """

    def __init__(
        self,
        function: Callable[..., object],
        *,
        name: str | None = None,
        description: str | None = None,
        timeout_s: float | None = DEFAULT_TIMEOUT_S,
        main_thread: bool = False,
        filler: str | Mapping[str, str] | None = None,
        filler_after_s: float = DEFAULT_FILLER_AFTER_S,
    ) -> None:
        self.function = function = _callable(function)
        self._plain = _plain_function(function)
        self.name = name or _name(function)
        if not _NAME.fullmatch(self.name):
            raise ToolError(
                f"{self.name!r} can't be the name of a tool: use letters, digits, _ and -, at most "
                "64 of them (tool(name=…))."
            )
        if timeout_s is not None and not timeout_s > 0:
            raise ToolError(f"timeout_s of {self.name} must be above 0 or None, not {timeout_s}.")
        described = docstrings.read(_doc(function))
        self.description = description if description is not None else described.text
        self.timeout_s = timeout_s
        self.main_thread = main_thread
        self.filler = filler_of(self.name, filler, filler_after_s)
        whole = _signature(self.name, function, self._plain)
        free = [p for p in whole.parameters.values() if not _is_given(p.annotation)]
        self._given = {
            p.name: _is_given(p.annotation, ToolCall)
            for p in whole.parameters.values()
            if _is_given(p.annotation)
        }
        self._whole, self._signature = whole, whole.replace(parameters=free)
        self._model = _arguments_model(self.name, function, self._signature)
        self._validates = _has_code(self._model.__pydantic_core_schema__)
        self.parameters = _schema(self._model, described.arguments)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the function itself, as if it were not a tool."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"Tool({self.name}{self._signature})"

    def definition(self) -> Definition:
        """Returns the tool as ``session.update`` carries it."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": copy.deepcopy(self.parameters),
        }

    def parse(self, arguments_json: str) -> dict[str, Any]:
        """Checks arguments against the schema; defaults are filled in.

        Raises:
            ToolError: Not JSON, not an object, or arguments missing, unknown or of a wrong type.
                The message tells the model what to correct.
        """
        try:
            arguments = json.loads(arguments_json) if arguments_json.strip() else {}
        except (ValueError, RecursionError) as error:
            raise ToolError(
                f"The arguments of {self.name} are not JSON ({error}). Send one JSON object."
            ) from error
        if not isinstance(arguments, dict):
            raise ToolError(f"The arguments of {self.name} must be one JSON object.")
        try:
            parsed = self._model.model_validate(arguments)
        except pydantic.ValidationError as error:
            raise ToolError(
                f"The arguments of {self.name} don't fit. {_complaints(error)} "
                "Correct them and call again."
            ) from error
        names = zip(self._signature.parameters, type(parsed).model_fields, strict=True)
        return {name: getattr(parsed, field) for name, field in names}

    async def call(
        self,
        arguments_json: str,
        started: Callable[[], None] = lambda: None,
        main_loop: asyncio.AbstractEventLoop | None = None,
        session: object = None,
        call: ToolCall | None = None,
    ) -> ToolResult:
        """Runs the function on arguments from a model; never raises for what goes wrong in it.

        A plain function runs in a thread of its own, so that it can't hold up the loop. After a
        timeout its thread ends when the function does, and the late result is dropped.

        Args:
            arguments_json: as the model wrote them.
            started: is called when the arguments fit and the function is about to run.
            main_loop: where a ``main_thread`` function runs, plain or async; None: on this loop.
                The time that it waits for a busy loop counts, and one whose time was over before
                that loop came to it is not run.
            session: what a parameter annotated ``rt.Session`` is given.
            call: what one annotated ``rt.ToolCall`` is given; stopping it ends the call.
        """
        call = ToolCall(name=self.name) if call is None else call
        work = self.run(arguments_json, started, main_loop, session, call)
        return await running.bounded(work, call, self.name, self.timeout_s)

    async def run(
        self,
        arguments_json: str,
        started: Callable[[], None],
        main_loop: asyncio.AbstractEventLoop | None,
        session: object,
        call: ToolCall,
    ) -> ToolResult:
        """Returns what the function comes to, however long it takes; see :meth:`call`."""
        prepare = functools.partial(self._prepared, arguments_json, session, call)
        function = await running.separately(prepare) if self._validates else prepare()
        if isinstance(function, ToolResult):
            return function
        if self.main_thread and main_loop not in (None, asyncio.get_running_loop()):
            assert main_loop is not None
            ended = await running.on_loop(main_loop, function, started, call)
            return await running.told(self.name, ended)
        started()
        if not (self.main_thread or inspect.iscoroutinefunction(self._plain)):
            work = functools.partial(running.in_thread, self.name, function, call)
            result = await running.separately(work)
            if isinstance(result, ToolResult):
                return result
            function = functools.partial(_same, result)
        return await running.told(self.name, await running.on_this_loop(function, call))

    def _prepared(
        self, arguments_json: str, session: object, call: ToolCall
    ) -> Callable[[], object] | ToolResult:
        """Returns the function with its arguments, or what doesn't fit of them."""
        try:
            arguments = self.parse(arguments_json)
        except BaseException as error:  # a validator of the function's own may raise anything
            result = running.failed(error)
            return ToolResult(result.output, "invalid", error)
        for name, wants_call in self._given.items():
            arguments[name] = call if wants_call else session
        ordered = {name: arguments[name] for name in self._whole.parameters}
        bound = inspect.BoundArguments(self._whole, cast("Any", ordered))
        return functools.partial(self.function, *bound.args, **bound.kwargs)


@overload
def tool(
    function: Callable[..., object],
    /,
    *,
    description: str | None = None,
    name: str | None = None,
    timeout_s: float | None = DEFAULT_TIMEOUT_S,
    main_thread: bool = False,
    filler: str | Mapping[str, str] | None = None,
    filler_after_s: float = DEFAULT_FILLER_AFTER_S,
) -> Tool: ...


@overload
def tool(
    *,
    description: str | None = None,
    name: str | None = None,
    timeout_s: float | None = DEFAULT_TIMEOUT_S,
    main_thread: bool = False,
    filler: str | Mapping[str, str] | None = None,
    filler_after_s: float = DEFAULT_FILLER_AFTER_S,
) -> Callable[[Callable[..., object]], Tool]: ...


@at_call
@takes_names
def tool(
    function: Callable[..., object] | None = None,
    /,
    *,
    description: str | None = None,
    name: str | None = None,
    timeout_s: float | None = DEFAULT_TIMEOUT_S,
    main_thread: bool = False,
    filler: str | Mapping[str, str] | None = None,
    filler_after_s: float = DEFAULT_FILLER_AFTER_S,
) -> Tool | Callable[[Callable[..., object]], Tool]:
    """Makes a function a :class:`Tool`; use it bare or with arguments, as a decorator or a call.

    Every argument needs an annotation that JSON can express. One annotated ``rt.Session`` is not
    told to the model: the function is given the session that called it; so is one annotated
    ``rt.ToolCall``, with which it learns that it was cancelled and tells progress. A description is
    taken from ``Field(description=…)`` or from the docstring, in the style of Google, NumPy, Sphinx
    or Epytext. Of a ``functools.partial``, the model is told what is still to be given.

    Args:
        function: A plain or async function, a method of an object or class, a partial or an object
            that can be called. What a generator yields is its progress, shown to people; what it
            returns, or else the last value that it yields, is the output: a call has one. What
            JSON can't hold, and what is longer than 100,000 characters, is an error.
        description: Instead of the docstring.
        name: Instead of the function's name.
        timeout_s: After this long the model is told that the call failed; None: never. An async
            function is cancelled, a plain one told so by its ``rt.ToolCall``.
        main_thread: Run on the notebook's own loop, plain functions too (for code that touches its
            widgets): a cell that holds that loop up holds up the function, not the session. With
            ``rt.connect``, it runs on the loop of the session.
        filler: What the agent says, once, when a call takes long: a text, word for word, or
            ``{"instructions": …}``. It is said while nobody speaks, and not at all where the
            function ends first or something else was said meanwhile; the result comes after it.
        filler_after_s: How long a call has been running by then.

    Functions that hang in threads, although they were told to stop, keep them: at most 64 in this
    process. Then calls are answered with an error instead of being run, until some of them end.

    Raises:
        ToolError: The function can't be described; the message names the argument.
    """

    def make(function: Callable[..., object]) -> Tool:
        return Tool(
            function,
            name=name,
            description=description,
            timeout_s=timeout_s,
            main_thread=main_thread,
            filler=filler,
            filler_after_s=filler_after_s,
        )

    return make if function is None else make(function)


ToolSource = (
    Callable[..., object] | Mapping[str, Any] | Iterable[Callable[..., object] | Mapping[str, Any]]
)
"""Functions, tools (which can be called, too) and raw definitions; one may be given alone."""


def tool_list(tools: object) -> list[Any]:
    """Returns the tools of a :data:`ToolSource`, as a list.

    Raises:
        ConfigurationError: it is none.
    """
    if isinstance(tools, Mapping) or callable(tools):
        return [tools]
    if isinstance(tools, str | bytes) or not isinstance(tools, Iterable):
        raise ConfigurationError(
            f"tools is {tools!r}; give functions, rt.tool objects or definitions, in a list."
        )
    return list(tools)


def collect(tools: ToolSource) -> dict[str, Tool | Definition]:
    """Returns tools by name, from functions, tools and raw definitions.

    A raw definition is passed on to the server as it is, and the client answers its calls itself.
    A definition without a name (a remote MCP server) is kept under ``type:server_label``.

    Raises:
        ConfigurationError: No tools, nor one.
        ToolError: Something else is among them, or two share a name.
    """
    collected: dict[str, Tool | Definition] = {}
    for entry in tool_list(tools):
        name, item = _collected(entry)
        if name in collected:
            raise ToolError(f"Two tools are named {name!r}. Give one of them another name=.")
        collected[name] = item
    return collected


def definitions(tools: Mapping[str, Tool | Definition]) -> list[Definition]:
    """Returns what ``session.update`` carries for tools that were put together by
    :func:`collect`."""
    return [
        item.definition() if isinstance(item, Tool) else copy.deepcopy(item)
        for item in tools.values()
    ]


def _collected(
    entry: Tool | Callable[..., object] | Mapping[str, Any],
) -> tuple[str, Tool | Definition]:
    if isinstance(entry, Mapping):
        return _definition_name(entry), copy.deepcopy(dict(entry))
    if not callable(entry):
        raise ToolError(f"{entry!r} is no tool. Give a function, a Tool or a definition (a dict).")
    made = entry if isinstance(entry, Tool) else tool(entry)
    return made.name, made


def _definition_name(definition: Mapping[str, Any]) -> str:
    kind, name = definition.get("type"), definition.get("name")
    if kind == "function" and isinstance(name, str) and _NAME.fullmatch(name):
        return name
    if kind == "function":
        raise ToolError(
            "A function definition is flat: {'type': 'function', 'name': …, 'description': …, "
            f"'parameters': …}}. This one has no usable name: {dict(definition)}"
        )
    if not isinstance(kind, str):
        raise ToolError(f"A tool definition needs a 'type': {dict(definition)}")
    return f"{kind}:{definition.get('server_label', '')}"


def _callable(function: object) -> Callable[..., object]:
    if isinstance(function, Tool):
        return function.function
    if isinstance(function, staticmethod):
        return cast("Callable[..., object]", function.__func__)
    if isinstance(function, classmethod):
        raise ToolError("A class method becomes a tool outside of its class: tool(Thing.method).")
    if isinstance(function, type) or not callable(function):
        raise ToolError(f"A tool is made from a function, not from {function!r}. Write a def.")
    return function


def _unbound(function: object) -> object:
    """Returns what a partial calls."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _plain_function(function: object) -> Callable[..., object]:
    """Returns the function that has the annotations."""
    inner = _unbound(function)
    plain = inner if inspect.isroutine(inner) else type(inner).__call__
    return cast("Callable[..., object]", plain)


def _name(function: object) -> str:
    inner = _unbound(function)
    return str(getattr(inner, "__name__", type(inner).__name__))


def _doc(function: object) -> str:
    """Returns the docstring; of a callable object that has none where it is called, its class's."""
    inner = _unbound(function)
    if inspect.isroutine(inner):
        return inspect.getdoc(inner) or ""
    kind = type(inner)
    made_up = (kind.__doc__ or "").startswith(f"{kind.__name__}(")  # by dataclass
    return _plain_function(inner).__doc__ or ("" if made_up else kind.__doc__) or ""


def _given_names(function: object) -> set[str]:
    """Returns the arguments that partials give by name: these are decided, not for the model."""
    names: set[str] = set()
    while isinstance(function, functools.partial):
        names.update(function.keywords)
        function = function.func
    return names


def _signature(
    name: str, function: Callable[..., object], plain: Callable[..., object]
) -> inspect.Signature:
    try:
        signature = inspect.signature(function)
        hints = get_type_hints(plain, include_extras=True)
    except (NameError, TypeError, ValueError) as error:
        raise ToolError(f"The annotations of {name} can't be read: {error}.") from error
    given = _given_names(function)
    free = [p for p in signature.parameters.values() if p.name not in given]
    return signature.replace(parameters=[_parameter(name, p, hints) for p in free])


def _parameter(name: str, given: inspect.Parameter, hints: dict[str, Any]) -> inspect.Parameter:
    if given.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
        raise ToolError(f"{name} takes {given}, which a model can't be told. Name each argument.")
    if given.name not in hints:
        hint = "decorate the bound method: tool(thing.method)"
        advice = hint if given.name in ("self", "cls") else f"write for example {given.name}: str"
        raise ToolError(f"Argument {given.name!r} of {name} has no annotation; {advice}.")
    return given.replace(annotation=hints[given.name])


def _is_given(annotation: object, kind: type = object) -> bool:
    """Tells whether the session gives it, not the model: it says so by ``given_to_tools``."""
    kinds = [annotation, *get_args(annotation)]  # of ``rt.Session | None``, and of Annotated, too
    return any(
        isinstance(one, type) and issubclass(one, kind) and getattr(one, "given_to_tools", False)
        for one in kinds
    )


def _arguments_model(
    name: str, function: Callable[..., object], signature: inspect.Signature
) -> type[pydantic.BaseModel]:
    # Fields are numbered and aliased: an argument may be called "schema" or "_x", a field may not.
    fields: dict[str, Any] = {}
    for number, argument in enumerate(signature.parameters.values()):
        annotation, default = argument.annotation, argument.default
        if isinstance(default, FieldInfo):
            annotation = Annotated[annotation, default]
            default = argument.empty
        annotation = _described(annotation)
        _check_describable(name, argument.name, annotation)
        given = {} if default is argument.empty else {"default": default}
        fields[f"argument_{number}"] = (annotation, pydantic.Field(alias=argument.name, **given))
    config = pydantic.ConfigDict(extra="forbid", title=name)
    return pydantic.create_model(name, __config__=config, **fields)


def _described(annotation: Any) -> Any:
    """Returns an annotation of which pydantic knows the text that stands in it, or in its
    ``Doc``."""
    for one in getattr(annotation, "__metadata__", ()):
        text = one if isinstance(one, str) else getattr(one, "documentation", None)
        if isinstance(text, str) and text.strip():
            others = [held for held in annotation.__metadata__ if held is not one]
            field = pydantic.Field(description=text.strip())
            return Annotated[(annotation.__origin__, field, *others)]
    return annotation


def _check_describable(name: str, argument: str, annotation: Any) -> None:
    try:
        pydantic.TypeAdapter(annotation).json_schema()
    except (pydantic.PydanticUserError, TypeError, ImportError) as error:
        raise ToolError(
            f"Argument {argument!r} of {name} can't be expressed in JSON: "
            f"{str(error).splitlines()[0]} Use str, int, float, bool, Literal, list or a dataclass."
        ) from error


class _UntitledSchema(GenerateJsonSchema):
    """Without titles, which repeat the names and cost the model tokens, and without defaults that
    JSON can't hold."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _schema(model: type[pydantic.BaseModel], docs: Mapping[str, str]) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True, schema_generator=_UntitledSchema)
    schema.pop("title", None)
    for name, described in schema.setdefault("properties", {}).items():
        if isinstance(default := described.get("default"), float) and not math.isfinite(default):
            del described["default"]
        if name in docs:
            described.setdefault("description", docs[name])
    return schema


_OWN_CODE = {"post_init", "custom_init", "default_factory"}


def _has_code(schema: object) -> bool:
    """Tells whether checking arguments runs code of the function's author, which may take long."""
    if isinstance(schema, Mapping):
        kind = str(schema.get("type"))
        own = kind.startswith("function-") or any(map(schema.get, _OWN_CODE))  # False: has none
        return own or any(map(_has_code, schema.values()))
    return isinstance(schema, list | tuple) and any(map(_has_code, schema))


def _same(value: object) -> object:
    return value


def _complaints(error: pydantic.ValidationError) -> str:
    return " ".join(
        f"{'.'.join(map(str, complaint['loc'])) or 'arguments'}: {complaint['msg'].rstrip('.')}."
        for complaint in error.errors(include_url=False, include_context=False, include_input=False)
    )


def notebook_loop() -> asyncio.AbstractEventLoop | None:
    """Returns the loop of the thread that asks: in a cell, the notebook's own; None without one."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
