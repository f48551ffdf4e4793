"""A process of its own for each sound device of this computer.

Python code that a device calls must run within one of its periods, 5 to 20 ms, or the period is
lost. Where a kernel computes, that fails: every busy thread keeps the interpreter for 5 ms, and an
extension may keep it for seconds. So the device is opened in a second interpreter that does
nothing else, and a pipe holds what the kernel has no time for. Played audio waits there too, right
at the device, where a flush reaches it at once.

The messages are tuples, marshalled: the same Python reads and writes them.
"""

from __future__ import annotations

import marshal
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import IO, Any

from realtime_nb.devices.host_devices import BLOCK_MS, DeviceKind
from realtime_nb.devices.host_streams import Block, Listener, Marks, Player, TrackMark
from realtime_nb.errors import ConfigurationError

__all__ = ["ListenerProcess", "PlayerProcess", "main", "open_listener", "open_player"]

MAX_PIPED_MS = 5_000
"""Microphone audio that waits for a stalled kernel; of more, the last is kept."""

_OPEN_TIMEOUT_S = 20.0
_END_TIMEOUT_S = 5.0
_START = (
    "import sys; sys.path[:] = sys.argv[1:]; "
    "from realtime_nb.devices.host_process import main; main()"
)

PipeMessage = tuple[Any, ...]


class _Mailbox:
    """Messages on their way into a pipe, written by a thread so that nobody has to wait.

    What is put before `begin` waits for it. The owner closes it, and thereby the pipe.
    """

    def __init__(self, pipe: IO[bytes]) -> None:
        self.waiting: deque[PipeMessage] = deque()
        self._pipe = pipe
        self._work = threading.Event()
        self._closed = False
        self._thread = threading.Thread(
            target=self._run, name="realtime_nb-host-mailbox", daemon=True
        )

    def begin(self, message: PipeMessage) -> None:
        """Sends that message before all others."""
        self.waiting.appendleft(message)
        self._work.set()
        self._thread.start()

    def put(self, message: PipeMessage) -> None:
        """Sends a message, from any thread."""
        self.waiting.append(message)
        self._work.set()

    def close(self) -> None:
        """Ends the pipe behind what was put until now, and waits for that a little."""
        self._closed = True
        self._work.set()
        self._thread.join(_END_TIMEOUT_S)

    def _run(self) -> None:
        try:
            with self._pipe:
                while not (self._closed and not self.waiting):
                    self._work.wait()
                    self._work.clear()
                    # At once: each return from the pipe may have to wait for the interpreter.
                    if batch := b"".join(marshal.dumps(message) for message in self._taken()):
                        self._pipe.write(batch)
                        self._pipe.flush()
        except OSError:  # the other side is gone, which its reader notices
            return

    def _taken(self) -> Iterator[PipeMessage]:
        while self.waiting:
            yield self.waiting.popleft()


def _messages(pipe: IO[bytes]) -> Iterator[PipeMessage]:
    """Yields what comes out of a pipe until its other end is closed."""
    while True:
        try:
            yield marshal.load(pipe)
        except (EOFError, OSError, TypeError, ValueError):  # it may break off in a message
            return


# --- the kernel's side ---


class _Process:
    """The process of a device, seen from the kernel."""

    def __init__(
        self, kind: DeviceKind, device: int | str | None, receive: Callable[[PipeMessage], None]
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._mailbox = _Mailbox(self._process.stdin)
        self._mailbox.begin((kind, device))
        self._answers = self._process.stdout
        self._inbox = _messages(self._answers)
        self._receive = receive
        self._reader = threading.Thread(
            target=self._read, name="realtime_nb-host-reader", daemon=True
        )
        self.sample_rate = self._opened()
        self._reader.start()

    def _opened(self) -> int:
        timer = threading.Timer(_OPEN_TIMEOUT_S, self._process.kill)
        timer.start()
        answer = next(self._inbox, None)
        timer.cancel()
        if answer is not None and isinstance(answer[0], int):
            return answer[0]
        self._end()
        self._answers.close()
        if answer is None:
            raise ConfigurationError(
                "The sound device could not be opened: PortAudio crashed or did not answer. "
                "Look at what `realtime-nb doctor` says, or choose another device."
            )
        raise ConfigurationError(str(answer[0]))

    def _read(self) -> None:
        with self._answers:
            for message in self._inbox:
                self._receive(message)

    def close(self) -> None:
        """Frees the device; ends the process behind all that it was told and had to tell."""
        self._end()
        self._reader.join(_END_TIMEOUT_S)

    def _end(self) -> None:
        self._mailbox.close()
        try:
            self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:  # PortAudio waits for ever for some devices
            self._process.kill()
            self._process.wait()


class ListenerProcess(_Process):
    """A microphone that is being recorded; see `Listener`."""

    def quiet(self, on: bool) -> None:
        """Records silence in place of what is there."""
        self._mailbox.put(("quiet", on))


class PlayerProcess(_Process):
    """A speaker that plays tracks; see `Player`."""

    def write(self, number: int, pcm: bytes) -> None:
        """Adds audio at the device's rate to a track, which begins with its first piece."""
        self._mailbox.put(("write", number, pcm))

    def end(self, number: int) -> None:
        """Says that no more audio of the track will come."""
        self._mailbox.put(("end", number))

    def flush(self, number: int) -> None:
        """Drops all that is there."""
        self._mailbox.put(("flush", number))


def open_listener(device: int | str | None, take: Callable[[Block], None]) -> ListenerProcess:
    """Records a device in a process of its own; ``take`` is called on a thread.

    Raises:
        ConfigurationError: as for `Listener`.
    """
    return ListenerProcess("input", device, lambda message: take(Block(*message)))


def open_player(device: int | str | None, tell: Callable[[Marks], None]) -> PlayerProcess:
    """Plays on a device in a process of its own; ``tell`` is called on a thread.

    Raises:
        ConfigurationError: as for `Player`.
    """

    def receive(message: PipeMessage) -> None:
        tell([mark if isinstance(mark, int) else TrackMark(*mark) for mark in message])

    return PlayerProcess("output", device, receive)


# --- the device's side ---


def main() -> None:
    """Opens the device that the first message names and serves it until its input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the kernel's interrupt reaches its whole group
    mailbox = _Mailbox(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)  # sound libraries print
    commands = _messages(sys.stdin.buffer)
    kind, device = next(commands, ("", None))
    try:
        if kind == "input":
            _record(device, commands, mailbox)
        elif kind == "output":
            _play(device, commands, mailbox)
        else:  # the kernel has ended before it could say what it wanted
            return
    except ConfigurationError as error:
        mailbox.begin((str(error),))
    mailbox.close()


def _record(device: int | str | None, commands: Iterator[PipeMessage], mailbox: _Mailbox) -> None:
    def take(block: Block) -> None:
        if len(mailbox.waiting) >= MAX_PIPED_MS // BLOCK_MS:
            mailbox.waiting.popleft()  # its number will be missed there, and told
        mailbox.put(tuple(block))

    listener = Listener(device, take)
    mailbox.begin((listener.sample_rate,))
    for _, on in commands:
        listener.quiet(on)
    listener.close()


def _play(device: int | str | None, commands: Iterator[PipeMessage], mailbox: _Mailbox) -> None:
    def tell(marks: Marks) -> None:
        if marks or not mailbox.waiting:  # an empty one says that the device lives
            mailbox.put(tuple(mark if isinstance(mark, int) else tuple(mark) for mark in marks))

    player = Player(device, tell)
    mailbox.begin((player.sample_rate,))
    does: dict[str, Callable[..., None]] = {
        "write": player.write,
        "end": player.end,
        "flush": player.flush,
    }
    for name, *values in commands:
        does[name](*values)
    player.close()
