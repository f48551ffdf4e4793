"""Server events against the types of the ``openai`` package, as strictly as pydantic can."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from openai.types.realtime import RealtimeServerEvent
from pydantic import Field, TypeAdapter, ValidationError

from tests.tallies import REFUSED, VALIDATED

__all__ = ["check", "validate"]

_ADAPTER: TypeAdapter[Any] = TypeAdapter(
    Annotated[RealtimeServerEvent, Field(discriminator="type")]
)


def check(event: dict[str, Any]) -> None:
    """Raises ``pydantic.ValidationError`` where the event, as it travels, is not of its type.

    This is the union by which ``openai-agents`` reads what a server sends; strict mode adds that
    numbers must not come as text or the other way round.
    """
    _ADAPTER.validate_json(msgspec.json.encode(event), strict=True)


def validate(event: dict[str, Any]) -> None:
    """Checks an event that our server sent; the run's last lines say how many, and how many
    failed."""
    kind = str(event.get("type"))
    try:
        check(event)
    except ValidationError:
        REFUSED[kind] += 1
        raise
    VALIDATED[kind] += 1
