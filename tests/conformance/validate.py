"""Server events against the types of the ``openai`` package, as strictly as pydantic can."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from openai.types.realtime import RealtimeServerEvent
from pydantic import Field, TypeAdapter

from tests.tallies import VALIDATED

__all__ = ["validate"]

_ADAPTER: TypeAdapter[Any] = TypeAdapter(
    Annotated[RealtimeServerEvent, Field(discriminator="type")]
)


def validate(event: dict[str, Any]) -> None:
    """Raises ``pydantic.ValidationError`` where the event, as it travels, is not of its type.

    This is the union by which ``openai-agents`` reads what a server sends; strict mode adds that
    numbers must not come as text or the other way round.
    """
    _ADAPTER.validate_json(msgspec.json.encode(event), strict=True)
    VALIDATED[event["type"]] += 1
