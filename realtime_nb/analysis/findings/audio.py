"""Rules about sound: what was paid for and never heard, gaps in it, the microphone's health."""

from __future__ import annotations

import math
from collections.abc import Iterator

from realtime_nb.analysis.findings.evidence import AT_THE_END_S, Evidence, Finding, Rule, seconds
from realtime_nb.analysis.table_cells import rest_ms
from realtime_nb.analysis.turn_faults import find_premature_cuts
from realtime_nb.audio.levels import DIGITAL_SILENCE_DBFS, QUIET_PEAK_DBFS
from realtime_nb.protocol.words import counted

__all__ = ["AUDIO_RULES"]

UNHEARD_SHARE = 0.1
LITTLE_UNHEARD_MS = 1_000.0
"""Less of the agent's audio than this is the tail of a barge-in, and no news."""

CLIPPING_SHARE = 0.001
"""Of the samples at full scale; one in a thousand can be heard."""

NOISY_SNR_DB = 15.0
"""Speech that is less than this above the noise is hard to tell from it by turn detection."""


def unheard_audio(evidence: Evidence) -> Iterator[Finding]:
    """Yields the agent's audio that was received and paid for, and that nobody heard."""
    cost = evidence.cost
    items = [item for item in evidence.conversation.items.values() if item.first_audio_s]
    unheard = {item.id: rest_ms(item.audio_ms, item.played_ms or 0.0) for item in items}
    lost_ms = sum(unheard.values())
    # Also where one of them is NaN.
    if not (cost.unheard_share >= UNHEARD_SHARE and lost_ms >= LITTLE_UNHEARD_MS):
        return
    end_s = evidence.rec.duration_s - AT_THE_END_S
    cut_ms = sum(
        unheard[item.id]
        for item in items
        if item.interrupted or (item.stopped_s is not None and item.stopped_s < end_s)
    )
    text = f"{cost.unheard_share:.0%} of the agent's audio was never heard ({seconds(lost_ms)})"
    text += f": about ${cost.unheard_usd:.3f}" if cost.unheard_usd == cost.unheard_usd else ""
    cut = sorted((name for name in unheard if unheard[name]), key=lambda name: -unheard[name])
    yield evidence.finding(
        "unheard-audio",
        "note",
        (items[0].first_audio_s, items[-1].last_audio_s),
        text,
        of=cut[:3],
        item_ids=cut[:3],
        unheard_ms=lost_ms,
        unheard_share=cost.unheard_share,
        unheard_usd=cost.unheard_usd,
        suggestion=_against_unheard(evidence, unheard) if cut_ms > lost_ms / 2 else _NOT_PLAYED,
    )


_NOT_PLAYED = (
    "let answers play to their end before the session is closed; most of the unheard audio was "
    "never begun, or the playing device did not report its end"
)


def _against_unheard(evidence: Evidence, unheard: dict[str, float]) -> str:
    early = [item.id for cut in find_premature_cuts(evidence.rec) for item in cut.turn.items]
    if sum(unheard.get(name, 0.0) for name in early) > sum(unheard.values()) / 2:
        return (
            "let the user finish (premature-cut): most of the unheard audio belongs to answers "
            "that began in a pause"
        )
    return "ask for shorter answers in the instructions: most of the unheard audio was cut off"


def underruns(evidence: Evidence) -> Iterator[Finding]:
    """Answers in which the playing device ran dry."""
    items = [item for item in evidence.conversation.items.values() if item.underruns]
    if not items:
        return
    total = sum(item.underruns for item in items)
    ids = [item.id for item in items]
    yield evidence.finding(
        "underruns",
        "warning",
        (items[0].played_s, items[-1].stopped_s),
        f"playback ran dry {counted(total, 'time')} in {counted(len(items), 'answer')}: the agent "
        "was heard with gaps",
        of=ids,
        item_ids=ids,
        underruns=total,
        suggestion="look at the network and at what holds up the kernel; doctor() measures both",
    )


def quiet_microphone(evidence: Evidence) -> Iterator[Finding]:
    """Yields input so quiet that no threshold makes up for it."""
    peak = evidence.metric("input_peak_dbfs")
    text, suggestion = "", ""
    if peak <= DIGITAL_SILENCE_DBFS:
        text = "the microphone sent nothing but digital silence"
        suggestion = "check that the right device is chosen and not muted; doctor() tells"
    elif peak < QUIET_PEAK_DBFS:
        text = f"the microphone is very quiet: its loudest moment is {peak:.0f} dBFS"
        suggestion = "raise the input level or move closer, before changing threshold"
    if text:
        yield evidence.finding(
            "quiet-microphone",
            "warning",
            (0.0, evidence.rec.duration_s),
            text,
            suggestion=suggestion,
            input_peak_dbfs=peak,
        )


def clipping(evidence: Evidence) -> Iterator[Finding]:
    """Yields input that is cut off at full scale."""
    share = evidence.metric("clipping_share")
    if share > CLIPPING_SHARE:
        yield evidence.finding(
            "clipping",
            "warning",
            (0.0, evidence.rec.duration_s),
            f"the microphone clips: {share:.1%} of its samples are at full scale",
            suggestion="lower the input level; clipped speech is transcribed worse",
            clipping_share=share,
        )


def noisy_room(evidence: Evidence) -> Iterator[Finding]:
    """Yields speech that hardly stands out from what is heard without it."""
    snr, floor = evidence.metric("snr_db"), evidence.metric("noise_floor_dbfs")
    if snr < NOISY_SNR_DB:
        heard = f" (noise floor {floor:.0f} dBFS)" if math.isfinite(floor) else ""
        yield evidence.finding(
            "noisy-room",
            "warning",
            (0.0, evidence.rec.duration_s),
            f"the room is noisy: speech is only {snr:.0f} dB above the noise{heard}",
            suggestion="switch noise_reduction on (near_field or far_field), or raise threshold",
            snr_db=snr,
            noise_floor_dbfs=floor,
        )


AUDIO_RULES: tuple[Rule, ...] = (unheard_audio, underruns, quiet_microphone, clipping, noisy_room)
