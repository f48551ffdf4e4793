from __future__ import annotations

import threading

from realtime_nb.agent.lab_feeder import LabFeeder
from realtime_nb.agent.lab_judging import LabJudging
from realtime_nb.analysis.vad_lab.lab import TurnLab
from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.conversation import Conversation, PlaybackReport, ToolReport
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.testing import LoudnessDetector, tone


def test_a_lab_hears_what_is_sent_under_its_lock() -> None:
    lock = threading.RLock()
    heard: list[bytes] = []
    lab = TurnLab(Conversation(), detector_for=LoudnessDetector)
    feeder = LabFeeder(lab, lock, heard.append, LabJudging(lab, lock, lambda: None))
    pcm = tone(320)
    feeder.event(WireEvent("sent", {"type": "input_audio_buffer.append"}, 0.3, pcm))
    feeder.event(WireEvent("received", {"type": "response.output_audio.delta"}, 0.4, tone(100)))
    feeder.playback(PlaybackReport("a", 0.0, "started", 0.4))
    feeder.tool(ToolReport("c", "started", 0.4))
    feeder.connection(ConnectionReport("lost", 0.5))
    assert (lab.frame_count, heard) == (10, [pcm])  # 320 ms are ten frames of 32

    with lock:
        waits = threading.Thread(
            target=feeder.event,
            args=(WireEvent("sent", {"type": "input_audio_buffer.append"}, 0.6, pcm),),
        )
        waits.start()
        waits.join(0.05)
        assert (waits.is_alive(), lab.frame_count) == (True, 10)
    waits.join(5)
    assert lab.frame_count == 20
    feeder.stop()
    feeder.event(WireEvent("sent", {"type": "input_audio_buffer.append"}, 0.9, pcm))
    assert (lab.frame_count, len(heard)) == (20, 2)
