"""What is asked for, confirmed, refused and undone; whole objects, and words for changes."""

from __future__ import annotations

import pytest

from realtime_nb.analysis.vad_lab.settings import (
    AskedSettings,
    SettingsLog,
    asked_detection,
    change_words,
    filled,
    promoted,
    whole_detection,
)
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.fields import SemanticVAD, ServerVAD

VAD = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 200,
    "create_response": True,
    "interrupt_response": True,
}


def asked(
    detection: JsonObject | None, event_id: str | None = None, tells: bool = True
) -> AskedSettings:
    return AskedSettings(event_id, 0, 0, 0, 0.0, detection, tells)


def in_force(*detections: JsonObject | None) -> SettingsLog:
    log = SettingsLog()
    for number, detection in enumerate(detections):
        log.confirmed(detection)
        log.note(number * 100.0, number, None)
    return log


def test_answers_come_in_the_order_of_the_questions() -> None:
    log = SettingsLog()
    log.created(VAD)
    first, second = asked(None, "a"), asked(VAD | {"threshold": 0.7}, "b")
    voice = asked(None, "c", tells=False)
    for one in (first, voice, second):
        log.asks(one)
    assert log.expected == second.detection
    assert log.confirmed(None) is first
    log.refused("b")
    assert (log.is_pending, log.expected) == (False, None)
    assert log.confirmed(None) is voice
    assert log.confirmed(VAD) is None  # nobody asked


def test_an_error_of_something_else_leaves_it_pending() -> None:
    log = SettingsLog()
    log.asks(asked(VAD, "a"))
    log.refused(None)
    log.refused("other")
    assert log.is_pending
    log.forget_asked()
    assert not log.is_pending


def test_undo_goes_back_step_by_step_and_redo_forth_again() -> None:
    a, b, c = (VAD | {"threshold": value} for value in (0.4, 0.5, 0.6))
    log = in_force(a, b, c)
    assert [mark.words for mark in log.marks] == ["threshold 0.4 → 0.5", "threshold 0.5 → 0.6"]

    def confirm(detection: JsonObject | None) -> None:
        log.confirmed(detection)
        log.note(0.0, 0.0, None)

    confirm(log.undo())
    assert log.detection == b
    confirm(log.undo())
    assert log.detection == a
    with pytest.raises(ConfigurationError, match="nothing to undo"):
        log.undo()
    confirm(log.redo())
    assert (log.detection, log.can_redo) == (b, True)
    confirm(VAD | {"threshold": 0.9})  # another way from here
    assert not log.can_redo
    with pytest.raises(ConfigurationError, match="nothing to redo"):
        log.redo()
    confirm(log.undo())
    assert log.detection == b


def test_an_undo_that_was_refused_is_no_undo() -> None:
    a, b = VAD, VAD | {"threshold": 0.7}
    log = in_force(a, b)
    log.asks(asked(log.undo(), "u"))
    log.refused("u")
    assert (log.can_undo, log.detection) == (True, b)
    log.confirmed(a)  # by hand: a change like any other
    log.note(5.0, 5.0, None)
    assert log.undo() == b


def test_the_same_again_is_no_change() -> None:
    assert in_force(VAD, dict(VAD)).marks == []
    assert in_force(None, None).marks == []


def test_off_and_on_are_changes() -> None:
    words = [mark.words for mark in in_force(VAD, None, VAD).marks]
    assert words[0].endswith("→ push-to-talk")
    assert words[1].startswith("push-to-talk → rt.ServerVAD(")


@pytest.mark.parametrize(
    ("patch", "found"),
    [
        ({"audio": {"input": {"turn_detection": VAD}}}, (True, VAD)),
        ({"audio": {"input": {"turn_detection": None}}}, (True, None)),
        ({"turn_detection": VAD}, (True, VAD)),  # the beta's
        ({"audio": {"input": {}}}, (False, None)),
        ({"audio": None}, (False, None)),
        ({"instructions": "x"}, (False, None)),
        (None, (False, None)),
        ("x", (False, None)),
    ],
)
def test_a_patch_tells_of_turn_detection_or_not(patch: object, found: object) -> None:
    assert asked_detection(patch) == found


def test_what_is_left_out_is_as_usual() -> None:
    assert filled({"type": "server_vad"}) == VAD
    assert filled({"type": "server_vad", "threshold": 0.7, "idle_timeout_ms": None}) == VAD | {
        "threshold": 0.7
    }
    semantic = filled({"type": "semantic_vad"})
    assert semantic is not None
    assert semantic["eagerness"] == "auto"
    assert filled(None) is None


def test_a_whole_detection_keeps_what_is_not_changed() -> None:
    before = VAD | {"idle_timeout_ms": 6000, "create_response": False}
    assert whole_detection(before, threshold=0.7) == before | {"threshold": 0.7}
    assert whole_detection(None, silence_duration_ms=700) == VAD | {"silence_duration_ms": 700}
    assert whole_detection(ServerVAD(threshold=0.3))["threshold"] == 0.3
    semantic = whole_detection(before, type="semantic_vad", eagerness="high")
    assert semantic == {
        "type": "semantic_vad",
        "eagerness": "high",
        "create_response": False,
        "interrupt_response": True,
    }
    assert whole_detection(SemanticVAD(eagerness="low"))["eagerness"] == "low"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"threshold": 1.2}, "threshold"),
        ({"threshold": "loud"}, "threshold"),
        ({"silence_duration_ms": -1}, "silence_duration_ms"),
        ({"prefix_padding_ms": 10**9}, "prefix_padding_ms"),
        ({"idle_timeout_ms": 10}, "idle_timeout_ms"),
        ({"create_response": 3}, "create_response"),
        ({"silence_ms": 300}, "silence_ms"),
        ({"type": "magic_vad"}, "magic_vad"),
        ({"eagerness": "high"}, "eagerness"),
    ],
)
def test_a_setting_that_is_none_is_refused_by_name(changes: JsonObject, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        whole_detection(VAD, **changes)


def test_a_promoted_ghost_leaves_alone_what_is_not_of_hearing() -> None:
    ghost = VAD | {"threshold": 0.8, "silence_duration_ms": 700}
    live = VAD | {"create_response": False, "idle_timeout_ms": 6000}
    assert promoted(ghost, live) == ghost | {"create_response": False, "idle_timeout_ms": 6000}
    assert promoted(ghost, None) == ghost


def test_changes_are_said_in_short() -> None:
    after = VAD | {"threshold": 0.62, "create_response": False, "idle_timeout_ms": 6000}
    assert change_words(VAD, after) == (
        "threshold 0.5 → 0.62, create_response on → off, idle_timeout_ms none → 6000"
    )
