"""Sessions that never were, the same every time, to draw pictures of."""

from __future__ import annotations

import numpy as np
import pandas as pd

from realtime_nb.analysis.timeline import PlacedAudio, TimelineData, TimelineTurn
from realtime_nb.analysis.turn_moments import LATENCY_PARTS
from realtime_nb.audio.pcm import Samples

NAN = float("nan")


def noise(samples: int, seed: int = 0) -> Samples:
    made: Samples = np.random.default_rng(seed).uniform(-1, 1, samples).astype(np.float32)
    return made


def syllables(duration_s: float, seed: int = 0) -> Samples:
    """A sound whose loudness comes and goes as that of speech does."""
    times_s = np.arange(round(duration_s * 24_000)) / 24_000
    loudness = np.abs(np.sin(9 * times_s)) * np.abs(np.sin(1.7 * times_s + seed))
    made: Samples = (noise(len(times_s), seed) * loudness).astype(np.float32)
    return made


def timeline() -> TimelineData:
    """Twenty seconds with everything that a timeline shows."""
    return TimelineData(
        20.0,
        user=[PlacedAudio(1.0, syllables(3.0)), PlacedAudio(12.0, syllables(4.0, 1))],
        agent=[
            PlacedAudio(5.0, syllables(5.0, 2)),
            PlacedAudio(10.0, syllables(2.2, 3) * np.float32(0.5)),
        ],
        unheard=[PlacedAudio(12.2, syllables(4.0, 4) * np.float32(0.5))],
        padded=[(0.8, 4.4), (11.8, 16.4)],
        detected=[(1.1, 3.9), (12.1, 15.9)],
        found=[(17.6, 19.2)],
        calls=[(4.6, 4.9, "check_slots"), (17.2, None, "book")],
        errors=[12.6, 14.0, 15.4],
        responses=[
            (4.4, 4.65, "completed"),
            (4.9, 6.5, "completed"),
            (9.2, 12.3, "cancelled"),
            (16.5, 17.2, "completed"),
            (18.0, 18.4, "failed"),
        ],
        labels=[(3.0, "I wasn't finished"), (12.1, "that was not me")],
        turns=[TimelineTurn(1, 1.1, 12.2, 5.0, 1_100.0), TimelineTurn(2, 12.1, 18.4)],
    )


def latency(count: int, seed: int = 0) -> pd.DataFrame:
    """Turns, some of which have calls, some an interruption, some no latency."""
    rng = np.random.default_rng(seed)
    scales = np.resize([30.0, 560.0, 60.0, 420.0, 110.0], len(LATENCY_PARTS))
    parts = rng.gamma(4.0, scales / 4, (count, len(LATENCY_PARTS)))
    number = np.arange(1, count + 1)
    had_calls = number % 4 == 0
    parts[had_calls, -2] += 900
    table = pd.DataFrame(parts, columns=list(LATENCY_PARTS))
    table.insert(0, "latency_ms", parts.sum(axis=1))
    table.insert(0, "turn", number)
    table["latency_note"] = pd.Series([None] * count, dtype=object)
    for remainder, note in ((3, "typed"), (0, "no spoken answer")):
        missing = number % 7 == 3 if remainder else number % 11 == 0
        table.loc[missing, ["latency_ms", *LATENCY_PARTS]] = NAN
        table.loc[missing, "latency_note"] = note
    table["had_calls"] = had_calls
    table["interrupted"] = number % 5 == 0
    return table


def usage(count: int) -> pd.DataFrame:
    """Responses with a growing context, most of which is cached from the second on."""
    number = np.arange(count)
    text, audio = 180 + 12 * number, 60 + 95 * number
    cached_text, cached_audio = np.where(number, text - 60, 0), np.where(number, audio - 90, 0)
    output_text, output_audio = 22 + 5 * (number % 4), 70 + 40 * (number % 3)
    return pd.DataFrame(
        {
            "turn": number // 2 + 1.0,
            "response_id": [f"resp_{index}" for index in number],
            "status": "completed",
            "input_tokens": (text + audio).astype(float),
            "cached_tokens": (cached_text + cached_audio).astype(float),
            "output_tokens": (output_text + output_audio).astype(float),
            "total_tokens": (text + audio + output_text + output_audio).astype(float),
            "input_text_tokens": text.astype(float),
            "input_audio_tokens": audio.astype(float),
            "cached_text_tokens": cached_text.astype(float),
            "cached_audio_tokens": cached_audio.astype(float),
            "output_text_tokens": output_text.astype(float),
            "output_audio_tokens": output_audio.astype(float),
        }
    )


def costs(count: int) -> pd.DataFrame:
    """Responses and transcriptions of turns, of which each costs a little more."""
    rows = [
        (turn, f"resp_{turn}", kind, usd)
        for turn in range(1, count + 1)
        for kind, usd in (("response", 0.004 + 0.0006 * turn), ("transcription", 0.0009))
    ]
    table = pd.DataFrame(rows, columns=["turn", "response_id", "kind", "usd"])
    table["turn"] = table["turn"].astype(float)
    table["model"] = "gpt-realtime"
    table["cumulative_usd"] = table["usd"].cumsum()
    return table


def events(turns: int, per_answer: int = 40) -> pd.DataFrame:
    """A turn every ten seconds, with audio of 100 ms at a time."""
    rows: list[tuple[float, str, str]] = [
        (0.1, "received", "session.created"),
        (0.15, "sent", "session.update"),
        (0.2, "received", "session.updated"),
    ]
    for turn in range(turns):
        at = 10.0 * turn
        rows += [(at + 0.1 * k, "sent", "input_audio_buffer.append") for k in range(3, 100)]
        rows += [
            (at + 1.0, "received", "input_audio_buffer.speech_started"),
            (at + 3.0, "received", "input_audio_buffer.speech_stopped"),
            (at + 3.0, "received", "input_audio_buffer.committed"),
            (at + 3.05, "received", "conversation.item.added"),
            (at + 3.1, "received", "response.created"),
            (at + 3.4, "received", "conversation.item.input_audio_transcription.completed"),
        ]
        if turn % 2:
            rows += [
                (at + 3.3, "received", "response.function_call_arguments.delta"),
                (at + 3.4, "received", "response.function_call_arguments.done"),
                (at + 3.9, "sent", "conversation.item.create"),
                (at + 3.9, "sent", "response.create"),
            ]
        for index in range(per_answer):
            moment = at + 4.2 + 2.0 * index / per_answer
            rows.append((moment, "received", "response.output_audio.delta"))
            rows.append((moment + 0.01, "received", "response.output_audio_transcript.delta"))
        rows.append((at + 6.3, "received", "response.done"))
        rows.append((at + 6.3, "received", "rate_limits.updated"))
        if turn % 3 == 1:
            rows.append((at + 7.0, "received", "error"))
    return pd.DataFrame(sorted(rows), columns=["t_s", "direction", "type"])
