"""Sentences of recorded speech, and places inside them at which their speaker might pause.

Where a voice ends and where words meet is written down here; the recordings lie in packages. A
recogniser finds the same words in both parts as in the whole, so that no place breaks a word.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import SAMPLE_RATE, Samples
from realtime_nb.commands.samples import SAMPLES

__all__ = [
    "PROMPTS_VARIABLE",
    "PausedSentence",
    "Sentence",
    "prompts_folder",
    "reported",
    "shipped",
    "with_pause",
]

PROMPTS_VARIABLE = "REALTIME_NB_PROMPTS"
"""Environment variable that names the folder of the prompts where they are not installed."""

_PROMPTS_FOLDER = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
"""Where Debian's asterisk-core-sounds-en-wav 1.6.1 puts them (Allison Smith, CC-BY-SA-3.0)."""

_BEFORE_MS = 300
_AFTER_MS = 9_000  # more than the longest wait
_FADE = SAMPLE_RATE * 5 // 1000


@dataclass(frozen=True, slots=True)
class Places:
    """What is known of a recording, in ms.

    Attributes:
        voice_end_ms: where the voice ends, 30 dB below its loudest 10 ms.
        open_ms: places before which the words are no whole sentence ("You have been /").
        whole_ms: those before which they could be one ("Please enter your password /").
    """

    voice_end_ms: int
    open_ms: tuple[int, ...] = ()
    whole_ms: tuple[int, ...] = ()


_SHIPPED = {
    # "eight of spades / four of clubs / seven of hearts"
    "cards_005.wav": Places(3_316, (1_271, 2_188)),
}
_PROMPTS = {
    "agent-newlocation.wav": Places(3184, (), (1935,)),
    "agent-pass.wav": Places(3176, (), (1626,)),
    "auth-incorrect.wav": Places(4462, (), (1486, 3023)),
    "cannot-complete-as-dialed.wav": Places(2462, (1036,), ()),
    "conf-getchannel.wav": Places(3007, (), (1535,)),
    "conf-getpin.wav": Places(2245, (1335,), ()),
    "conf-kicked.wav": Places(2061, (1021,), ()),
    "conf-nonextended.wav": Places(2028, (738,), ()),
    "conf-placeintoconf.wav": Places(2110, (727,), ()),
    "conf-usermenu.wav": Places(13446, (), (3482, 8058)),
    "confbridge-begin-glorious-b.wav": Places(3730, (), (1712,)),
    "confbridge-conf-begin.wav": Places(1715, (747,), ()),
    "confbridge-lock-no-join.wav": Places(3188, (2499,), (1821,)),
    "confbridge-only-one.wav": Places(3188, (1378,), ()),
    "confbridge-pin-bad.wav": Places(4544, (1093, 1728), ()),
    "confbridge-removed.wav": Places(2037, (1179,), ()),
    "confbridge-unlocked.wav": Places(1942, (1207,), ()),
    "demo-echodone.wav": Places(2452, (1193,), ()),
    "demo-enterkeywords.wav": Places(6252, (3903,), (4482,)),
    "dir-nomore.wav": Places(3000, (997,), ()),
    "entr-num-rmv-blklist.wav": Places(2768, (1922,), ()),
    "feature-not-avail-line.wav": Places(3030, (1951,), ()),
    "priv-recordintro.wav": Places(2085, (1280,), ()),
    "queue-youarenext.wav": Places(5098, (1186,), (2261,)),
    "speed-dial-empty.wav": Places(3023, (2230,), ()),
    "tt-allbusy.wav": Places(8738, (), (4711, 5777)),
    "vm-dialout.wav": Places(2006, (1012,), ()),
    "vm-forward-multiple.wav": Places(4386, (991,), (1997,)),
    "vm-forward.wav": Places(4701, (3812,), (2478,)),
    "vm-intro.wav": Places(5451, (), (2223, 3759)),
    "vm-mailboxfull.wav": Places(3903, (2241,), ()),
    "vm-msgforwarded.wav": Places(2867, (1321, 2169), ()),
    "vm-msginstruct.wav": Places(14353, (5320, 9486), ()),
    "vm-nobox.wav": Places(4946, (2382, 3063), ()),
    "vm-opts-full.wav": Places(10950, (7506, 9461), ()),
    "vm-prev.wav": Places(2470, (1092,), ()),
    "vm-rec-busy.wav": Places(4539, (2605, 3625), ()),
    "vm-rec-name.wav": Places(4046, (2148, 3119), ()),
    "vm-rec-temp.wav": Places(5187, (1310, 3211), ()),
    "vm-record-prepend.wav": Places(6796, (1079, 5428), ()),
    "vm-repeat.wav": Places(2662, (1393,), ()),
    "vm-review.wav": Places(7400, (2703, 4763), ()),
    "vm-savefolder.wav": Places(2585, (1609,), ()),
    "vm-savemessage.wav": Places(2398, (1182,), ()),
    "vm-tempgreeting.wav": Places(2896, (1690,), ()),
    "vm-tempgreeting2.wav": Places(6087, (2902, 3654), ()),
    "vm-tmpexists.wav": Places(4314, (2028,), ()),
    "vm-tocallnum.wav": Places(2367, (1080, 1740), ()),
}


@dataclass(frozen=True, slots=True)
class Sentence:
    """A recorded sentence and a place in it.

    Attributes:
        name: of the recording.
        samples: up to the end of the voice.
        whole: whether the words before the place could be a whole sentence.
    """

    name: str
    samples: Samples
    place_ms: int
    whole: bool


def shipped() -> list[Sentence]:
    """Returns sentences of this package's own recordings."""
    return [one for path in SAMPLES for one in _read(path, _SHIPPED.get(path.name, Places(0)))]


def prompts_folder() -> Path:
    """Returns where the prompts lie, or would."""
    return Path(os.environ.get(PROMPTS_VARIABLE) or _PROMPTS_FOLDER)


def reported() -> list[Sentence]:
    """Returns sentences of the voice that is reported; none where its package is not installed."""
    folder = prompts_folder()
    paths = [folder / name for name in _PROMPTS]
    return [one for path in paths if path.exists() for one in _read(path, _PROMPTS[path.name])]


def _read(path: Path, places: Places) -> Iterator[Sentence]:
    samples = load_audio(path)[: _count(places.voice_end_ms)]
    for place_ms in places.open_ms:
        yield Sentence(path.name, samples, place_ms, whole=False)
    for place_ms in places.whole_ms:
        yield Sentence(path.name, samples, place_ms, whole=True)


@dataclass(frozen=True, slots=True)
class PausedSentence:
    """A sentence with a pause in it, and where its voice ends."""

    samples: Samples
    voice_end_ms: float


def with_pause(sentence: Sentence, pause_ms: float, rng: np.random.Generator) -> PausedSentence:
    """Returns the sentence with a pause at its place, in the noise of its recording."""
    place = _count(sentence.place_ms)
    floor = _floor(sentence.samples)
    parts = [_faded(sentence.samples[:place]), _faded(sentence.samples[place:])]
    silences = [
        rng.normal(0, floor, _count(ms)).astype(np.float32)
        for ms in (_BEFORE_MS, pause_ms, _AFTER_MS)
    ]
    laid = [silences[0], parts[0], silences[1], parts[1], silences[2]]
    ends = sum(len(part) for part in laid[:-1])
    return PausedSentence(np.concatenate(laid), ends * 1000 / SAMPLE_RATE)


def _count(ms: float) -> int:
    return round(ms * SAMPLE_RATE / 1000)


def _floor(samples: Samples) -> float:
    """Returns the loudness of the quietest 10 ms of a recording, but for one in twenty."""
    step = SAMPLE_RATE // 100
    blocks = samples[: len(samples) // step * step].reshape(-1, step)
    return float(np.percentile(np.sqrt(np.mean(np.square(blocks), axis=1)), 5))


def _faded(part: Samples) -> Samples:
    faded = part.copy()
    ramp = np.linspace(0, 1, _FADE, dtype=np.float32)
    faded[:_FADE] *= ramp
    faded[-_FADE:] *= ramp[::-1]
    return faded
