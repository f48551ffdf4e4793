"""Structs of options, which refuse what they don't know as everything else does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from realtime_nb.errors import ConfigurationError, shown_at_call
from realtime_nb.errors.option_names import refuse_unknown

__all__ = ["NamedOptions"]

if TYPE_CHECKING:
    from msgspec import StructMeta
else:
    StructMeta = type(msgspec.Struct)  # which releases before 0.20 do not name


class NamedOptions(StructMeta):
    """What makes a struct that refuses names as `takes_names` does; decoding goes by itself."""

    def __call__(cls, *args: Any, **options: Any) -> Any:
        """Returns one of the class."""
        with shown_at_call:
            refuse_unknown(options, cls.__struct_fields__)
            if args:
                named = ", ".join(cls.__struct_fields__)
                raise ConfigurationError(
                    f"{cls.__name__} takes its options by name: {named}; not {args[0]!r}."
                )
            return super().__call__(**options)
