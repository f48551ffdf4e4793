"""A stock Firefox, driven by WebDriver BiDi, which it speaks by itself; and a sound server for it.

Playwright can't drive it: it brings a patched Firefox of its own.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import connect
from websockets.sync.connection import Connection

__all__ = ["Firefox", "SoundServer", "firefox", "running_firefox", "running_sound"]

_START_LIMIT_S = 60
_PREFERENCES: Mapping[str, bool | int] = {
    "app.update.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "focusmanager.testmode": True,
    "media.autoplay.default": 1,  # as people have it: sound wants a press
}
_KEYS = {
    "Enter": "\ue007",
    "Shift": "\ue008",
    "Escape": "\ue00c",
    "ArrowLeft": "\ue012",
    "ArrowRight": "\ue014",
    "ArrowDown": "\ue015",
    "Space": " ",
}


def firefox() -> str | None:
    """Where Firefox is; None if there is none. $REALTIME_NB_FIREFOX names another one."""
    found = (shutil.which(name) for name in ("firefox-esr", "firefox"))
    return os.environ.get("REALTIME_NB_FIREFOX") or next(filter(None, found), None)


class SoundServer:
    """A PulseAudio with one microphone and one loudspeaker, neither of which is a thing."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment

    def say(self, path: Path) -> None:
        """Plays a file into the microphone, to its end."""
        self._run("paplay", "--device=said", str(path))

    @contextmanager
    def recorded(self, path: Path) -> Iterator[None]:
        """Keeps what the loudspeaker is given: PCM16, mono, 24 kHz."""
        arguments = ["--device=heard.monitor", "--rate=24000", "--channels=1", "--format=s16le"]
        recording = subprocess.Popen(["parec", *arguments, str(path)], env=dict(self.environment))
        try:
            yield
        finally:
            recording.terminate()
            recording.wait()

    def _run(self, *command: str) -> None:
        subprocess.run(command, env=dict(self.environment), check=True, capture_output=True)


@contextmanager
def running_sound(folder: Path, microphone_hz: int = 44_100) -> Iterator[SoundServer]:
    """A sound server of one's own."""
    folder.mkdir(parents=True)
    socket = folder / "native"
    environment = {
        **os.environ,
        **dict.fromkeys(("HOME", "XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH"), str(folder)),
        "PULSE_SERVER": f"unix:{socket}",
    }
    modules = [
        f"module-native-protocol-unix socket={socket} auth-anonymous=1",
        f"module-null-sink sink_name=said rate={microphone_hz} channels=1",
        "module-null-sink sink_name=heard rate=48000",
        # Firefox does not count a monitor among the microphones.
        "module-remap-source master=said.monitor source_name=microphone",
    ]
    command = ["pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1"]
    command += ["--disable-shm=yes", *(part for module in modules for part in ("-L", module))]
    with (folder / "pulseaudio.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    server = SoundServer(environment)
    try:
        _wait(socket.exists, process, folder / "pulseaudio.log")
        server._run("pactl", "set-default-source", "microphone")
        server._run("pactl", "set-default-sink", "heard")
        yield server
    finally:
        process.terminate()
        process.wait()


class Firefox:
    """One tab. Its elements are named by JavaScript expressions."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)
        self._ask("session.new", {"capabilities": {}})
        # In a tab that was there from the start, the address bar has the focus.
        tab = self._ask("browsingContext.create", {"type": "tab", "background": False})
        self._tab = {"context": tab["context"]}

    def at_start(self, source: str) -> None:
        """Runs JavaScript in each page before anything of its own."""
        function = f"() => {{ {source} }}"
        self._ask("script.addPreloadScript", {"functionDeclaration": function})

    def goto(self, url: str) -> None:
        self._ask("browsingContext.navigate", {**self._tab, "url": url, "wait": "complete"})

    def evaluate(self, source: str, argument: object = None) -> Any:
        """The value of an expression, or of a function called with an argument, as JSON says it."""
        code = f"""async () => {{
          const named = ({source});
          const value = await (typeof named === "function" ? named({json.dumps(argument)}) : named);
          return JSON.stringify(value ?? null);
        }}"""
        answer = self._ask(
            "script.callFunction",
            {"functionDeclaration": code, "awaitPromise": True, "target": self._tab},
        )
        if answer["type"] == "exception":
            raise AssertionError(f"{answer['exceptionDetails']['text']} in {source}")
        return json.loads(answer["result"]["value"])

    def wait_for(self, expression: str, timeout_s: float = 20) -> None:
        """Waits until a JavaScript expression is true."""
        self.evaluate(
            f"""() => new Promise((resolve, reject) => {{
              const until = performance.now() + {timeout_s * 1000};
              const look = () => {{
                if ({expression}) resolve();
                else if (performance.now() > until) reject(new Error("too long"));
                else setTimeout(look, 20);
              }};
              look();
            }})"""
        )

    def click(self, element: str) -> None:
        """Presses the mouse on an element."""
        self.evaluate(f"() => {{ ({element}).scrollIntoView({{block: 'nearest'}}); }}")
        found = self._ask(
            "script.evaluate", {"expression": element, "awaitPromise": False, "target": self._tab}
        )
        origin = {"type": "element", "element": {"sharedId": found["result"]["sharedId"]}}
        move = {"type": "pointerMove", "x": 0, "y": 0, "origin": origin}
        press = [{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp")]
        self._act({"type": "pointer", "id": "mouse", "actions": [move, *press]})

    def press(self, *keys: str) -> None:
        """Presses keys one after the other: characters, or names as in KeyboardEvent.key."""
        actions = [
            {"type": kind, "value": _KEYS.get(key, key)}
            for key in keys
            for kind in ("keyDown", "keyUp")
        ]
        self._act({"type": "key", "id": "keyboard", "actions": actions})

    def screenshot(self, path: Path) -> None:
        answer = self._ask("browsingContext.captureScreenshot", self._tab)
        path.write_bytes(base64.b64decode(answer["data"]))

    def close(self) -> None:
        self._ask("browser.close", {})

    def _act(self, source: Mapping[str, object]) -> None:
        self._ask("input.performActions", {**self._tab, "actions": [source]})

    def _ask(self, method: str, parameters: Mapping[str, object]) -> Any:
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(timeout=70))
            if answer.get("id") != number:
                continue
            if answer["type"] == "error":
                raise AssertionError(f"{method}: {answer['error']}: {answer['message']}")
            return answer["result"]


@contextmanager
def running_firefox(
    profile: Path,
    environment: Mapping[str, str],
    preferences: Sequence[tuple[str, bool | int]] = (),
    size: tuple[int, int] = (1100, 900),
) -> Iterator[Firefox]:
    """A headless Firefox with a profile of its own."""
    profile.mkdir(parents=True)
    wanted = {**_PREFERENCES, **dict(preferences)}
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(it)});\n" for name, it in wanted.items()]
    (profile / "user.js").write_text("".join(lines), encoding="utf-8")
    width, height = size
    variables = {
        **environment,
        "HOME": str(profile),
        "MOZ_HEADLESS_WIDTH": str(width),
        "MOZ_HEADLESS_HEIGHT": str(height + 90),  # the address bar and the tabs
    }
    command = [str(firefox()), "--headless", "--no-remote", "--profile", str(profile)]
    with (profile / "firefox.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--remote-debugging-port", "0"], env=variables, stdout=log, stderr=log
        )
    told = profile / "WebDriverBiDiServer.json"
    try:
        _wait(
            lambda: told.exists() and told.read_text().endswith("}"),
            process,
            profile / "firefox.log",
        )
        url = f"ws://127.0.0.1:{json.loads(told.read_text())['ws_port']}/session"
        with connect(url, max_size=None, compression=None) as connection:
            running = Firefox(connection)
            yield running
            running.close()
        process.wait(20)
    finally:
        process.kill()
        process.wait()


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    until_s = time.monotonic() + _START_LIMIT_S
    while not ready():
        if process.poll() is not None or time.monotonic() > until_s:
            raise AssertionError(f"It did not start:\n{log.read_text(errors='replace')[-4000:]}")
        time.sleep(0.05)
