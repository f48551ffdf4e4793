"""What ``rt.doctor(endpoint)`` finds of servers that do some things otherwise."""

from __future__ import annotations

import asyncio
import json

import pytest

import realtime_nb as rt
from realtime_nb.commands import cli
from realtime_nb.commands.doctor_endpoint import ServerCheck, examine
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.session.profiles import PROFILES
from realtime_nb.testing import VendorServer, run_on_virtual_clock


def found_of(name: str, *ignored: str) -> dict[str, ServerCheck]:
    async def asked() -> list[ServerCheck]:
        async with VendorServer(name, ScriptedLLM(["Ready."]), ignored=ignored) as server:
            url = "wss://mine.openai.azure.com/openai/v1/realtime"
            endpoint = rt.Endpoint.named(name, url, model="m", api_key="a-key")
            return await examine(endpoint, server.transport)

    return {one.name: one for one in run_on_virtual_clock(asked())}


@pytest.mark.parametrize("name", PROFILES)
def test_every_vendor_answers(name: str) -> None:
    found = found_of(name)
    assert found["answer"].status == found["connection"].status == "ok"
    assert found["settings"].status == "ok", found["settings"].words


@pytest.mark.parametrize(
    ("name", "check", "words"),
    [
        ("openai", "events", "as OpenAI's GA interface sends them"),
        ("openai", "known of OpenAI", "it lacks the beta interface"),
        ("azure", "known of Azure OpenAI", "names of deployments"),
        ("speaches", "events", "the beta's names (conversation.item.created, response.text.delta"),
        ("speaches", "known of Speaches", "it lacks response.cancel"),
        ("xai", "events", "at the top: voice, turn_detection"),
        ("huggingface", "events", "there is no response.content_part.added"),
        ("huggingface", "events", "speech_to_speech.session.snapshot"),
        ("alibaba", "known of Alibaba Qwen-Omni-Realtime", "16 kHz"),
    ],
)
def test_what_it_does_otherwise(name: str, check: str, words: str) -> None:
    assert words in found_of(name)[check].words


@pytest.mark.parametrize("setting", ["silence_duration_ms", "threshold", "prefix_padding_ms"])
def test_a_setting_that_is_ignored_is_named(setting: str) -> None:
    settings = found_of("localai", f"turn_detection.{setting}")["settings"]
    assert settings.status == "warning"
    assert settings.words.startswith(f"{setting} is ignored here (asked for ")
    assert ";" not in settings.words


def test_a_server_that_is_not_there() -> None:
    report = rt.doctor("ws://127.0.0.1:9/v1/realtime")
    assert not report.works
    assert "ws://127.0.0.1:9/v1/realtime does not work here: connection" in repr(report)
    assert "Is the server running there?" in report.checks[0].words


def test_what_is_no_endpoint_is_refused_at_once() -> None:
    with pytest.raises(rt.ConfigurationError, match=r"Unknown endpoint 'acme'.*'xai'"):
        rt.doctor("acme")


def test_the_command_line_examines_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    async def served() -> int:
        async with rt.serve(max_connections=3, llm=ScriptedLLM(["Ready."])) as server:
            arguments = ["doctor", "--json", "--endpoint", server.url, "--api-key", server.token]
            return await asyncio.to_thread(cli.main, arguments)

    assert asyncio.run(served()) == 0
    checks = {one["name"]: one for one in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["events"]["words"] == "as OpenAI's GA interface sends them"
    assert checks["settings"]["status"] == "ok"
