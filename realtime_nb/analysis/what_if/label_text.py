"""Labels as other programs write them: JSON, Audacity's label tracks, RTTM and Praat's TextGrid.

What can't be read is refused by its line; what could be meant in several ways, by the choices.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from realtime_nb.analysis.what_if.true_turns import TrueTurn, given_turns
from realtime_nb.errors import ConfigurationError

__all__ = ["turns_in_text"]

_USER = "user"
_PRAAT = re.compile(r'"(?:[^"]|"")*"|<[^>\s]*>|(?<!\S)[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?!\S)')
_COMMENT = re.compile(r"^\s*!.*$", re.MULTILINE)


def turns_in_text(
    text: str,
    name: str,
    *,
    tier: str | None = None,
    speaker: str | None = None,
    channel: int | str | None = None,
) -> list[TrueTurn]:
    """Returns the labels in the text of a file; which kind it is, its content tells.

    Args:
        text: What the file holds.
        name: Of the file, for messages.
        tier: Which tier of a TextGrid.
        speaker: Whose turns of an RTTM file.
        channel: Which channel of an RTTM file, as it names it.

    Raises:
        ConfigurationError: It is none of these kinds, damaged, or holds no labels; or which of
            several tiers, speakers or channels is meant is not told, or not there.
    """
    begin = text.lstrip()
    asked = {"tier": tier, "speaker": speaker, "channel": channel}
    if begin.startswith(("File type", '"ooTextFile')):
        _refuse_unused(asked, ("tier",), name, "a TextGrid")
        turns = _text_grid(text, name, tier)
    elif begin.startswith(("[", "{")):
        _refuse_unused(asked, (), name, "JSON")
        turns = _json(text, name)
    elif re.match(r"(;;.*\n|\s)*(SPEAKER|SPKR-INFO|NON-SPEECH|LEXEME)\s", text):
        _refuse_unused(asked, ("speaker", "channel"), name, "RTTM")
        turns = _rttm(text, name, speaker, channel)
    else:
        _refuse_unused(asked, (), name, "an Audacity label track")
        turns = list(_audacity(text, name))
    if not turns:
        raise ConfigurationError(
            f"{name} holds no labels; if nobody speaks in this audio, give labels=[]."
        )
    return turns


def _refuse_unused(
    asked: dict[str, int | str | None], known: Sequence[str], name: str, kind: str
) -> None:
    for option, value in asked.items():
        if value is not None and option not in known:
            raise ConfigurationError(
                f"{option} is {value!r}, and {name} is {kind}, which has none; leave it out."
            )


def _json(text: str, name: str) -> list[TrueTurn]:
    try:
        return given_turns(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{name}: {error}") from None


def _audacity(text: str, name: str) -> Iterator[TrueTurn]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("\\"):  # frequencies of the label above
            continue
        cells = line.split("\t")
        yield _timed(cells[:2], cells[2] if len(cells) > 2 else "", f"Line {number} of {name}")


def _timed(bounds_s: Sequence[str], text: str, where: str) -> TrueTurn:
    try:
        start_s, end_s = (float(bound) for bound in bounds_s)
    except ValueError:
        raise ConfigurationError(
            f"{where} is no label; labels are JSON, RTTM, a Praat TextGrid, or lines of Audacity: "
            "start and end in seconds, with points for decimals, and a text, tabs between them."
        ) from None
    return TrueTurn(start_s * 1000, end_s * 1000, text.strip())


# --- RTTM -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Spoken:
    file: str
    channel: str
    speaker: str
    turn: TrueTurn


def _rttm(text: str, name: str, speaker: str | None, channel: int | str | None) -> list[TrueTurn]:
    lines = list(_rttm_lines(text, name))
    files = {line.file for line in lines}
    if len(files) > 1:
        raise ConfigurationError(
            f"{name} is of {len(files)} files ({', '.join(sorted(files))}); give the lines of one."
        )
    for field, asked in (("channel", channel), ("speaker", speaker)):
        there = sorted({getattr(line, field) for line in lines})
        wanted = _chosen(field, None if asked is None else str(asked), there, name)
        lines = [line for line in lines if getattr(line, field) == wanted]
    return [line.turn for line in lines]


def _rttm_lines(text: str, name: str) -> Iterator[_Spoken]:
    for number, line in enumerate(text.splitlines(), start=1):
        cells = line.split()
        if not cells or cells[0] != "SPEAKER":
            continue
        where = f"Line {number} of {name}"
        try:
            start_s, duration_s = float(cells[3]), float(cells[4])
            file, channel, speaker = cells[1], cells[2], cells[7]
        except (IndexError, ValueError):
            raise ConfigurationError(
                f"{where} is no line of RTTM: SPEAKER, file, channel, onset and duration in "
                "seconds, <NA>, <NA>, speaker."
            ) from None
        turn = TrueTurn(start_s * 1000, (start_s + duration_s) * 1000)
        yield _Spoken(file, channel, speaker, turn)


def _chosen(field: str, asked: str | None, there: Sequence[str], name: str) -> str | None:
    """Returns which of several is meant: the one asked for, the only one, or the user's."""
    if asked is None:
        if len(there) < 2 or _USER in there:
            return _USER if _USER in there else next(iter(there), None)
        raise ConfigurationError(
            f"{name} has several {field}s; say whose turns are meant: "
            f"rt.read_labels({name!r}, {field}={there[0]!r}), or {', '.join(map(repr, there[1:]))}."
        )
    if asked not in there:
        held = ", ".join(map(repr, there)) or "none"
        raise ConfigurationError(f"{field} is {asked!r}, and {name} has {held}; choose from these.")
    return asked


# --- TextGrid -------------------------------------------------------------------------------------


def _text_grid(text: str, name: str, tier: str | None) -> list[TrueTurn]:
    """Reads the long and the short form alike: what is no text, number or flag is a comment."""
    tokens = iter(_PRAAT.findall(_COMMENT.sub("", text)))
    try:
        tiers = _tiers(tokens)
    except (StopIteration, ValueError, RuntimeError):
        raise ConfigurationError(
            f"{name} is a damaged TextGrid: it ends early, or has something else where a number or "
            "a text must be. Save it again in Praat, as a text file."
        ) from None
    wanted = _chosen("tier", tier, list(tiers), name)
    turns = [] if wanted is None else tiers[wanted]
    if turns is None:
        raise ConfigurationError(
            f"The tier {wanted!r} of {name} holds points; turns are the intervals of a tier."
        )
    if wanted is not None and not turns:
        raise ConfigurationError(
            f"The tier {wanted!r} of {name} is empty: no interval has a text. Write one on each "
            "turn; if nobody speaks in this audio, give labels=[]."
        )
    return turns


def _tiers(tokens: Iterator[str]) -> dict[str, list[TrueTurn] | None]:
    """Returns the intervals with a text, by the names of their tiers; None for tiers of points."""
    if [_string(next(tokens)), _string(next(tokens))] != ["ooTextFile", "TextGrid"]:
        raise ValueError
    float(next(tokens)), float(next(tokens))
    if next(tokens) != "<exists>":
        return {}
    found: dict[str, list[TrueTurn] | None] = {}
    for _ in range(int(next(tokens))):
        kind, name = _string(next(tokens)), _string(next(tokens))
        float(next(tokens)), float(next(tokens))
        cells: list[tuple[list[float], str]] = []
        for _ in range(int(next(tokens))):
            bounds_s = [float(next(tokens)) for _ in range(2 if kind == "IntervalTier" else 1)]
            cells.append((bounds_s, _string(next(tokens)).strip()))
        found[name] = None
        if kind == "IntervalTier":
            found[name] = [TrueTurn(s[0] * 1000, s[1] * 1000, text) for s, text in cells if text]
    return found


def _string(token: str) -> str:
    if not token.startswith('"'):
        raise ValueError
    return token[1:-1].replace('""', '"')
