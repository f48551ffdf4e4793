from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.analysis.vad_lab.lab import TurnLab
from realtime_nb.analysis.vad_lab.track import Frames
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.testing import LoudnessDetector
from realtime_nb.widgets.vad_lab_rows import (
    Turns,
    changed_turns,
    has_server,
    judged_pauses,
    known_columns,
    lab_rows,
    probability_bytes,
    row_turns,
    settings_words,
)
from tests.analysis.vad_lab.served import Served, talk


def turns(*bounds: tuple[int, int]) -> Turns:
    return [(start, start, end, end) for start, end in bounds]


LENGTHS = st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), max_size=12)


@given(LENGTHS, LENGTHS, st.integers(0, 12))
def test_a_page_that_is_told_the_changes_knows_the_turns(
    before: list[tuple[int, int]], after: list[tuple[int, int]], kept: int
) -> None:
    def laid(lengths: list[tuple[int, int]], at: int) -> Turns:
        found: Turns = []
        for pause, length in lengths:
            found.append((at + pause, at + pause, at + pause + length, at + pause + length))
            at += pause + length
        return found

    told = laid(before, 0)
    since = told[min(kept, len(told)) - 1][3] if kept and told else 0
    same = [turn for turn in told if turn[3] <= since]
    now = same + laid(after, since)
    changed = changed_turns(told, now, since)
    page = list(told)
    if changed is not None:
        page[changed[0] :] = changed[1]
    assert page == now
    assert (changed is None) == (told == now)


def test_only_what_differs_is_told() -> None:
    told = turns((0, 10), (20, 30), (40, 50))
    fresh = [*told[:2], *turns((40, 60))]
    assert changed_turns(told, fresh, 0) == (2, turns((40, 60)))
    assert changed_turns(told, told[:1], 0) == (1, [])


def frames(*starts_ms: float) -> Frames:
    values = np.linspace(0.1, 0.9, len(starts_ms), dtype=np.float32)
    return Frames(0, np.array(starts_ms, np.float64), values)


def test_a_byte_stands_for_each_32_ms() -> None:
    first, told = probability_bytes(frames(64, 96, 128), None)
    assert (first, list(told)) == (2, [26, 128, 230])


def test_where_a_detector_began_anew_there_is_silence_and_nothing_twice() -> None:
    assert list(probability_bytes(frames(0, 32, 128), None)[1]) == [26, 128, 0, 0, 230]
    # It goes on half a frame later: what lies on a frame that is there is left out.
    first, told = probability_bytes(frames(48, 80, 112), 2)
    assert (first, len(told)) == (2, 2)
    assert probability_bytes(frames(), 7) == (7, b"")


def test_settings_fit_below_a_name() -> None:
    assert settings_words({"threshold": 0.6, "silence_duration_ms": 250}) == (
        "0.60 · 250 ms · pad 300"
    )
    assert settings_words({"type": "semantic_vad", "eagerness": "low"}) == "semantic, low"
    assert settings_words(None) == "push-to-talk"


def test_rows_are_the_server_the_emulator_the_voice_and_the_ghosts() -> None:
    served = Served(voiced_ms=[(500.0, 1_500.0)])
    served.lab.set_ghost("patient", {"silence_duration_ms": 900})
    served.say(talk(500, 1_000, 600))
    rows = lab_rows(served.lab, served.lab.scores())
    assert [(row["id"], row["kind"]) for row in rows] == [
        *(("server", "server"), ("live", "live"), ("truth", "truth")),
        ("ghost patient", "ghost"),
    ]
    [server] = row_turns(served.lab, "server")
    assert row_turns(served.lab, "live") == [server]
    assert row_turns(served.lab, "truth") == [(500, 500, 1_500, 1_500)]
    [(start, onset, _, end)] = row_turns(served.lab, "ghost patient")
    assert (start, onset) == server[:2]
    assert end > server[3]  # it goes on
    assert rows[0]["cells"]["turns"] == "1"
    assert rows[0]["cells"]["recall"] == "–"
    assert "label" in rows[0]["notes"]["recall"]
    served.lab.label_last("not_me", math.inf)
    scores = served.lab.scores()
    assert lab_rows(served.lab, scores)[0]["cells"]["false"] == "1"
    assert "false" in [label for label, _, _ in known_columns(scores)]


def test_a_row_says_how_many_of_its_turns_are_judged() -> None:
    served = Served(voiced_ms=[(500.0, 1_500.0)])
    served.lab.set_ghost("patient", {"silence_duration_ms": 400})
    served.say(talk(500, 1_000, 900))
    served.lab.label_last("not_me", math.inf)
    served.set(None)
    served.receive()
    served.say(talk(100, 1_000, 900))
    rows = {row["name"]: row for row in lab_rows(served.lab, served.lab.scores())}
    assert (rows["server"]["judged"], rows["emulator"]["judged"]) == ("", "")
    assert rows["patient"]["judged"] == "judged: 1 of 2 turns"
    assert rows["patient"]["cells"]["false"] == "1"


def test_what_a_turn_model_says_at_pauses_is_there_where_it_counts() -> None:
    answers = iter([0.2, math.nan, 0.9])
    served = Served(completeness=lambda audio, form: next(answers))
    served.say(talk(700, 900, 500, 400, 300, 400, 1_000))
    assert judged_pauses(served.lab) == []
    served.lab.set_ghost("model", {"type": "semantic_vad"})
    # A pause counts 224 ms, which are seven frames, after the tone: after frames 50, 78 and 100.
    assert judged_pauses(served.lab) == [(51 * 32 + 192, 0.2, False), (101 * 32 + 192, 0.9, True)]


def test_bare_audio_has_no_server() -> None:
    lab = TurnLab(
        Conversation(),
        detector_for=LoudnessDetector,
        voiced_ms=[],
        completeness=lambda audio, form: 0.9,
    )
    lab.audio(talk(500, 500))
    assert not has_server(lab)
    assert [row["id"] for row in lab_rows(lab, lab.scores())] == ["truth"]
    lab.audio(talk(400))
    assert judged_pauses(lab) == []
    lab.set_ghost("model", {"type": "semantic_vad"})
    assert judged_pauses(lab) == [(32 * 32 + 224, 0.9, True)]  # frame 31 is the last loud one
