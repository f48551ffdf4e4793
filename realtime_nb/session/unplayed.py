"""How much of the agent's voice waits to be heard: servers send it faster than it is played.

Nothing of it is dropped, and reading goes on meanwhile, for what the user interrupts it by comes
behind it. An answer that nobody could want to hear to its end is ended instead, and told.
"""

from __future__ import annotations

from realtime_nb.protocol.audio_formats import BYTES_PER_MS

__all__ = ["MOST_UNPLAYED_MS", "TOO_LONG", "Unplayed"]

MOST_UNPLAYED_MS = 900_000
"""Audio that may wait for a speaker, some 43 MB: twice what the hosted service says at once."""

TOO_LONG = (
    f"More than {MOST_UNPLAYED_MS // 60_000} minutes of the agent's voice wait to be heard, so it "
    "was interrupted. What was heard until then is what the server remembers. Ask for shorter "
    "answers, or limit them with max_output_tokens."
)


class Unplayed:
    """Audio that was given to a speaker and was neither played nor dropped yet."""

    def __init__(self) -> None:
        self._bytes: dict[str, int] = {}

    @property
    def ms(self) -> float:
        """How much there is."""
        return sum(self._bytes.values()) / BYTES_PER_MS

    @property
    def too_long(self) -> bool:
        """Whether there is more than may be."""
        return self.ms > MOST_UNPLAYED_MS

    def written(self, item_id: str, pcm: bytes, *, behind: bool) -> None:
        """Takes note of audio that is given to the speaker.

        Args:
            behind: whether anything is left to be heard before it; some speakers tell that only.
        """
        if not behind:
            self._bytes.clear()
        self._bytes[item_id] = self._bytes.get(item_id, 0) + len(pcm)

    def played(self, item_id: str, pcm: bytes) -> None:
        """Takes note of audio that was heard."""
        if item_id in self._bytes:
            self._bytes[item_id] = max(0, self._bytes[item_id] - len(pcm))

    def over(self, item_id: str) -> None:
        """Takes note that nothing more of an item will be heard."""
        self._bytes.pop(item_id, None)
