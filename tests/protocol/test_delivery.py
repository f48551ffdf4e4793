"""What was heard of answers, beside a voice whose words have known places."""

from __future__ import annotations

import base64
import math
import random
import statistics
from collections.abc import Iterable
from typing import Any

import pytest

from realtime_nb.audio.pcm import encode
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.delivery import Delivery
from realtime_nb.protocol.records import Item
from realtime_nb.protocol.word_times import DEFAULT_PACE
from realtime_nb.testing import silence, tone
from tests.protocol.spoken_voice import ANSWERS, SpokenSentence, Voice, answer_events, heard_by

CUTS = 72


def take(conversation: Conversation, events: Iterable[tuple[dict[str, Any], bytes | None]]) -> None:
    for raw, pcm in events:
        conversation.apply(ev.parse_server(raw), pcm=pcm)


def truncated(conversation: Conversation, ms: float, item_id: str = "item_1") -> Item:
    event = {"type": "conversation.item.truncated", "item_id": item_id, "audio_end_ms": int(ms)}
    take(conversation, [({**event, "content_index": 0}, None)])
    return conversation.items[item_id]


def done(item_id: str, status: str) -> tuple[dict[str, Any], None]:
    response = {"id": f"resp_of_{item_id}", "status": status}
    return {"type": "response.done", "response": response}, None


def length_ms(sentences: list[SpokenSentence]) -> int:
    return sum(len(sentence.pcm) for sentence in sentences) // 48


def errors(
    order: str, *, letter_ms: float = 62.0, lead_ms: int = 20, speed: float = 1.0, seed: int = 1
) -> list[int]:
    """By how many words more is told than was heard, of answers cut in one session."""
    chooser = random.Random(seed)
    voice = Voice(seed, letter_ms, lead_ms)
    conversation = Conversation(session={"audio": {"output": {"speed": speed}}})
    found = []
    for number in range(CUTS):
        sentences = [voice.speak(text) for text in ANSWERS[number % len(ANSWERS)]]
        cut_ms = chooser.randrange(300, length_ms(sentences) - 100)
        received_ms = min(length_ms(sentences), cut_ms + chooser.choice([100, 400, 1_000, 3_000]))
        item_id = f"item_{number}"
        take(
            conversation,
            answer_events(sentences, order, received_ms, item_id=item_id, chooser=chooser),
        )
        item = truncated(conversation, cut_ms, item_id)
        take(conversation, [done(item_id, "cancelled")])
        found.append(len(item.heard_text.split()) - heard_by(sentences, cut_ms))
    return found


@pytest.mark.parametrize(
    ("order", "median", "p95"),
    [("sentences", 1, 2), ("first", 2, 4), ("ahead", 2, 4)],
)
@pytest.mark.parametrize(
    ("letter_ms", "lead_ms", "speed"),
    [(62.0, 20, 1.0), (48.0, 20, 1.0), (75.0, 300, 1.0), (120.0, 20, 0.5), (41.0, 700, 1.5)],
)
def test_words_heard_of_interrupted_answers(
    order: str, median: int, p95: int, letter_ms: float, lead_ms: int, speed: float
) -> None:
    """Spread over the audio received so far, the errors are 3 and more than 10 words."""
    amiss = sorted(map(abs, errors(order, letter_ms=letter_ms, lead_ms=lead_ms, speed=speed)))
    assert statistics.median(amiss) <= median
    assert amiss[math.ceil(0.95 * CUTS) - 1] <= p95


def test_text_behind_its_audio_tells_what_was_said() -> None:
    """Of a sentence whose text has not come, no word is known."""
    voice = Voice(3)
    sentences = [voice.speak(text) for text in ANSWERS[0]]
    first_ms = len(sentences[0].pcm) // 48
    conversation = Conversation()
    take(conversation, answer_events(sentences, "last", first_ms + 1_000))
    item = truncated(conversation, first_ms + 800)
    assert item.heard_text == sentences[0].text.strip()
    for cut_ms in range(500, first_ms, 250):
        item = truncated(conversation, cut_ms)
        assert abs(len(item.heard_text.split()) - heard_by(sentences, cut_ms)) <= 1


def test_text_that_comes_last_is_spread_over_the_whole_audio() -> None:
    voice = Voice(4)
    sentences = [voice.speak(text) for text in ANSWERS[2]]
    conversation = Conversation()
    events = list(answer_events(sentences, "first", length_ms(sentences)))
    take(conversation, [one for one in events if "audio_transcript" not in one[0]["type"]])
    text = "".join(sentence.text for sentence in sentences)
    ids = {"item_id": "item_1", "response_id": "resp_of_item_1", "content_index": 0}
    ended = {"type": "response.output_audio_transcript.done", "transcript": text, **ids}
    take(conversation, [(ended, None), done("item_1", "completed")])
    for cut_ms in range(400, length_ms(sentences), 500):
        item = truncated(conversation, cut_ms)
        assert abs(len(item.heard_text.split()) - heard_by(sentences, cut_ms)) <= 1


def test_a_source_is_told() -> None:
    voice = Voice(5)
    sentences = [voice.speak(text) for text in ANSWERS[0]]
    second_ms = len(sentences[0].pcm) // 48
    conversation = Conversation()
    take(conversation, answer_events(sentences, "sentences", second_ms + 900))
    item = conversation.items["item_1"]
    assert item.heard_source(second_ms - 1_000) == "interleaved"
    assert item.heard_source(second_ms + 600) == "pace"
    take(conversation, [done("item_1", "completed")])
    take(conversation, answer_events(sentences, "first", 300, item_id="item_2"))
    assert conversation.items["item_2"].heard_source(200) == "pace"  # by what item_1 said
    alone = Conversation()
    take(alone, answer_events(sentences, "first", 300))
    assert alone.items["item_1"].heard_source(200) == "default pace"
    take(alone, answer_events(sentences, "first", length_ms(sentences), item_id="item_2"))
    take(alone, [done("item_2", "completed")])
    assert alone.items["item_2"].heard_source(300) == "pauses"
    assert alone.items["item_2"].heard_source(length_ms(sentences) - 500) == "length"
    assert alone.items["item_2"].heard_source(math.inf) == "whole"


@pytest.mark.parametrize("audio_format", ["audio/pcm", "audio/pcmu", "audio/pcma"])
def test_a_server_that_keeps_no_audio_reads_its_own_deltas(audio_format: str) -> None:
    """The local server's fold has the payload only; what it remembers is what a client tells."""
    voice = Voice(6)
    sentences = [voice.speak(text) for text in ANSWERS[1]]
    client = Conversation()
    server = Conversation(session={"audio": {"output": {"format": {"type": audio_format}}}})
    for raw, pcm in answer_events(sentences, "sentences", 9_000):
        client.apply(ev.parse_server(raw), pcm=pcm)
        if pcm is not None and audio_format != "audio/pcm":
            narrow = encode(audio_format, _every_third(pcm))
            raw = {**raw, "delta": base64.b64encode(narrow).decode()}
        server.apply(ev.parse_server(raw))
    for cut_ms in range(300, 9_000, 600):
        told = [truncated(one, cut_ms).heard_text.split() for one in (client, server)]
        assert abs(len(told[0]) - len(told[1])) <= (0 if audio_format == "audio/pcm" else 1)
    assert server.items["item_1"].audio_ms == client.items["item_1"].audio_ms


def _every_third(pcm: bytes) -> bytes:
    return b"".join(pcm[at : at + 2] for at in range(0, len(pcm), 6))


def test_a_beta_server_and_audio_that_nobody_kept() -> None:
    """Without its audio the order of the deltas still tells; pauses do not."""
    voice = Voice(7)
    sentences = [voice.speak(text) for text in ANSWERS[0]]
    conversation = Conversation()
    for raw, pcm in answer_events(sentences, "sentences", 6_000):
        if pcm is not None:
            raw = {**raw, "delta": {"file": "lost.wav", "start": 0, "samples": len(pcm) // 2}}
        conversation.apply(ev.parse_server(raw))
    for cut_ms in range(500, 6_000, 500):
        item = truncated(conversation, cut_ms)
        assert abs(len(item.heard_text.split()) - heard_by(sentences, cut_ms)) <= 2


def cut(text: str, ms: float, audio_ms: float = 2_000.0, *, whole: bool = True) -> str:
    item = Item("a", parts={0: text}, audio_ms=audio_ms, truncated_ms=int(ms))
    item.delivery.whole = whole
    return item.heard_text


@pytest.mark.parametrize(
    "text",
    [
        "今日は水曜日です。明日は木曜日です。",
        "สวัสดีครับวันนี้อากาศดีมากเลยนะครับ",
        "안녕하세요 반갑습니다 오늘은 날씨가 좋네요",
        "Très e\u0301le\u0301gant 👩‍👩‍👧‍👦 🇩🇪🇫🇷 👍🏽 naïve cafe\u0301.",
        "नमस्ते दुनिया क्षत्रिय",
        "Hello \u0301x 1️⃣ ok",
    ],
)
def test_what_was_heard_is_a_beginning_that_cuts_no_character(text: str) -> None:
    before = ""
    for ms in range(0, 2_001, 10):
        heard = cut(text, ms)
        assert text.startswith(heard)
        assert len(heard) >= len(before)
        rest = text[len(heard) :]
        assert not rest or ord(rest[0]) not in (0x301, 0x20E3, 0x200D, 0xFE0F, 0x1F3FD)
        assert not heard.endswith("\u200d")
        assert not rest.startswith(("ั", "ี", "้", "่", "ุ", "\u094d", "\u093f", "\u0947"))
        assert heard.count("🇩") == heard.count("🇪")
        before = heard
    assert cut(text, 0) == ""
    assert cut(text, 2_000) == text


def test_scripts_without_spaces_are_cut_at_characters() -> None:
    text = "今日は水曜日です。明日は木曜日です。"
    assert 6 <= len(cut(text, 1_000)) <= 12
    assert 5 <= len(cut("สวัสดีครับวันนี้อากาศดีมากเลยนะครับ", 1_000)) <= 25


def test_numbers_take_as_long_as_they_are_spoken() -> None:
    """A date of ten characters is spoken like thirty or forty: of 2 s, from 0.2 s to 1.5 s at
    least. By the share of the text it would be over after 1.1 s."""
    assert cut("It is 2026-12-01 and fine now", 1_200) == "It is"
    assert cut("It is 2026-12-01 and fine now", 1_650) == "It is 2026-12-01"


def test_several_parts_and_text_that_is_not_spoken() -> None:
    conversation = Conversation()
    ids = {"item_id": "a", "response_id": "r"}
    for part, name, text in (
        (0, "output_audio_transcript", "One two."),
        (1, "output_text", "A table: 1, 2, 3."),
        (2, "output_audio_transcript", "Three four."),
    ):
        delta = {"type": f"response.{name}.delta", "content_index": part, "delta": text, **ids}
        take(conversation, [(delta, None)])
    delta = {"type": "response.output_audio.delta", "delta": "", "content_index": 0, **ids}
    pcm = b"".join(tone(200) for _ in range(8))
    encoded = base64.b64encode(pcm).decode()
    take(conversation, [({**delta, "delta": encoded}, pcm)])
    item = conversation.items["a"]
    item.delivery.whole = True
    assert truncated(conversation, 880, "a").heard_text == "One two. A table: 1, 2, 3."
    assert truncated(conversation, 1_600, "a").heard_text == item.text


def test_a_written_answer_with_audio_is_what_the_audio_says() -> None:
    """Some servers name the transcript of their voice a text."""
    item = Item("a", audio_ms=1_000.0, truncated_ms=600)
    item.add_text(0, "one two three four", spoken=False)
    item.delivery.whole = True
    assert item.heard_text == "one two"


def test_truncation_at_nothing_beyond_and_twice() -> None:
    voice = Voice(8)
    sentences = [voice.speak(text) for text in ANSWERS[0]]
    conversation = Conversation()
    take(conversation, answer_events(sentences, "sentences", 4_000))
    assert truncated(conversation, 0).heard_text == ""
    late = truncated(conversation, 60_000)
    assert late.heard_text == late.text  # a minute is enough for all of it
    once = truncated(conversation, 3_000).heard_text
    assert truncated(conversation, 2_000).heard_text == truncated(conversation, 2_000).heard_text
    assert once.startswith(conversation.items["item_1"].heard_text)


def test_an_answer_that_goes_on_after_it_was_cut() -> None:
    """Later text and audio change what is known by a word at most."""
    voice = Voice(9)
    sentences = [voice.speak(text) for text in ANSWERS[2]]
    conversation = Conversation()
    events = list(answer_events(sentences, "sentences", length_ms(sentences)))
    cut_ms = 3_000
    told: list[int] = []
    for raw, pcm in events:
        conversation.apply(ev.parse_server(raw), pcm=pcm)
        item = conversation.items.get("item_1")
        if item is not None and item.audio_ms >= cut_ms + 200:
            if not told:
                truncated(conversation, cut_ms)
            told.append(len(item.heard_text.split()))
    assert max(told) - min(told) <= 1
    assert abs(told[-1] - heard_by(sentences, cut_ms)) <= 1


def test_no_audio_at_all_is_told_by_the_pace() -> None:
    conversation = Conversation()
    voice = Voice(10)
    sentences = [voice.speak(text) for text in ANSWERS[3]]
    take(conversation, answer_events(sentences, "first", 0))
    item = truncated(conversation, 2_500)
    assert abs(len(item.heard_text.split()) - heard_by(sentences, 2_500)) <= 2
    assert item.heard_source(2_500) == "default pace"


def test_text_that_was_changed_in_the_end_has_no_place_where_it_differs() -> None:
    item = Item("a")
    item.add_text(0, "One two. ", spoken=True)
    item.audio_ms = 500.0
    item.add_text(0, "Three four.", spoken=True)
    item.settle_text(0, "One too. Three four.", spoken=True)
    assert [burst[1] for burst in item.delivery.bursts] == [0]
    item.settle_text(0, "One too. Three four. Five.", spoken=True)
    assert item.text == "One too. Three four. Five."


def test_deliveries_are_equal_by_what_was_noted() -> None:
    one, other = Delivery(), Delivery()
    assert one == other and one != "a delivery"
    one.add_text(0, 0, 0.0, spoken=True)
    assert one != other and "1 bursts" in repr(one)
    other.add_text(0, 0, 0.0, spoken=True)
    assert one == other
    one.add_audio("!", 0.0, None, None)  # no base64
    one.add_audio(base64.b64encode(tone(20)).decode(), 20.0, None, None)
    assert one != other


@pytest.mark.parametrize("speed", [0.5, 1.0, 1.5, "fast", None, math.nan])
def test_the_speed_of_a_voice(speed: object) -> None:
    conversation = Conversation(session={"audio": {"output": {"speed": speed}}})
    voice = Voice(11)
    take(conversation, answer_events([voice.speak("Hello there.")], "first", 500))
    known = float(speed) if isinstance(speed, float) and not math.isnan(speed) else 1.0
    assert conversation.items["item_1"].delivery.speed == known


def test_a_faint_voice_and_silence_have_no_pauses_and_still_a_pace() -> None:
    conversation = Conversation()
    ids = {"item_id": "a", "response_id": "r", "content_index": 0}
    text = {"type": "response.output_audio_transcript.delta", "delta": "word " * 40, **ids}
    take(conversation, [(text, None)])
    for pcm in (tone(500, level=0.01), silence(500)):
        delta = base64.b64encode(pcm).decode()
        take(conversation, [({"type": "response.output_audio.delta", "delta": delta, **ids}, pcm)])
    heard = truncated(conversation, 1_000, "a").heard_text.split()
    assert len(heard) == int(1_000 / (4 * DEFAULT_PACE.ms_per_letter))
