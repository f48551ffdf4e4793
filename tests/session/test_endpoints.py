"""Where to connect, and that keys show nowhere."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

import realtime_nb as rt
from realtime_nb.errors import ConfigurationError
from realtime_nb.session.endpoints import DEFAULT_MODEL, Endpoint, azure, local, openai, resolve

KEY = "sk-marker-0123456789"


@pytest.fixture(autouse=True)
def no_keys_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_local_is_still_to_be_started() -> None:
    assert resolve("local") is None


def test_an_endpoint_is_what_it_is() -> None:
    endpoint = Endpoint("ws://127.0.0.1:8000/v1/realtime", "m")
    assert resolve(endpoint) is endpoint
    for options in ({"model": "other"}, {"api_key": KEY}):
        with pytest.raises(ConfigurationError, match="to the Endpoint itself"):
            resolve(endpoint, **options)


def test_openai_takes_the_key_that_is_given_or_that_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = resolve("openai", api_key=KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert given == resolve("openai") == openai()
    assert given is not None
    assert given.headers == {"Authorization": f"Bearer {KEY}"}
    assert given.connect_url == f"wss://api.openai.com/v1/realtime?model={DEFAULT_MODEL}"
    assert "OpenAI-Beta" not in given.headers
    assert openai("gpt-realtime-mini").connect_url.endswith("?model=gpt-realtime-mini")


def test_without_a_key_the_remedy_is_named() -> None:
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        resolve("openai")
    with pytest.raises(ConfigurationError, match="AZURE_OPENAI_API_KEY"):
        azure("resource", "deployment")


def test_a_key_in_the_environment_is_not_sent_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    endpoint = resolve("wss://example.org/v1/realtime")
    assert endpoint is not None
    assert endpoint.headers == {}


@pytest.mark.parametrize("resource", ["mine", "mine.openai.azure.com"])
def test_azure_uses_the_deployment_and_its_own_header(resource: str) -> None:
    endpoint = azure(resource, "my realtime", KEY)
    assert endpoint.connect_url == (
        "wss://mine.openai.azure.com/openai/v1/realtime?model=my+realtime"
    )
    assert endpoint.headers == {"api-key": KEY}
    # A transcription model is the name of a deployment there.
    assert endpoint.transcription_model is None


def test_a_local_server_takes_its_token_as_key() -> None:
    endpoint = local("ws://127.0.0.1:1234/v1/realtime", KEY)
    assert endpoint.kind == "local"
    assert endpoint.headers == {"Authorization": f"Bearer {KEY}"}
    assert endpoint.connect_url == "ws://127.0.0.1:1234/v1/realtime?model=local"


@pytest.mark.parametrize(
    ("url", "model", "connected"),
    [
        ("ws://h/v1/realtime", None, f"ws://h/v1/realtime?model={DEFAULT_MODEL}"),
        ("ws://h/v1/realtime", "m", "ws://h/v1/realtime?model=m"),
        ("ws://h/v1/realtime?model=a", None, "ws://h/v1/realtime?model=a"),
        ("ws://h/v1/realtime?model=a", "b", "ws://h/v1/realtime?model=b"),
        ("wss://h/r?key=k&empty=", "m", "wss://h/r?key=k&empty=&model=m"),
        ("ws://[::1]:99/r", "m", "ws://[::1]:99/r?model=m"),
    ],
)
def test_the_model_joins_the_query(url: str, model: str | None, connected: str) -> None:
    endpoint = resolve(url, model)
    assert endpoint is not None
    assert endpoint.connect_url == connected


def test_a_key_for_a_url_is_a_bearer_token() -> None:
    endpoint = resolve("wss://h/r", api_key=KEY)
    assert endpoint is not None
    assert endpoint.headers == {"Authorization": f"Bearer {KEY}"}


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.org/v1/realtime",
        "ws:///v1/realtime",
        "ws://host:port/v1/realtime",
        "ws://host:99999/v1/realtime",
        "ws://[::1/v1/realtime",
        "://",
    ],
)
def test_what_is_no_realtime_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="not a Realtime URL"):
        resolve(url)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"Use 'local', 'openai'"):
        resolve("opnai")


def test_no_secret_is_shown() -> None:
    endpoint = Endpoint(
        f"wss://user:{KEY}-password@host:8443/path?key={KEY}-query",
        "m",
        {"Authorization": f"Bearer {KEY}", "X-Extra": f"{KEY}-extra"},
    )
    assert endpoint.shown_url == "wss://host:8443/path"
    for text in (repr(endpoint), str(endpoint), f"{[endpoint]}"):
        assert KEY not in text
    with pytest.raises(ConfigurationError) as refused:
        Endpoint(f"https://user:{KEY}@host/path?key={KEY}")
    assert KEY not in str(refused.value)


def test_secrets_are_taken_out_of_what_others_wrote() -> None:
    endpoint = Endpoint(
        f"wss://user:{KEY}-password@host/path?key={KEY}-query&model=gpt-realtime&v=2",
        headers={"Authorization": f"Bearer {KEY}"},
    )
    text = f"Wrong key {KEY} ({KEY}-query) of {KEY}-password for gpt-realtime, version 2"
    cleaned = endpoint.without_secrets(text)
    assert KEY not in cleaned
    assert cleaned.endswith("for gpt-realtime, version 2")


@pytest.mark.parametrize("around", ["{}\n", "\n{}", "  {}\r\n", "\t{} "])
def test_space_around_a_key_is_of_the_file_that_it_was_read_from(
    around: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = around.format(KEY)
    monkeypatch.setenv("OPENAI_API_KEY", given)
    assert openai().headers == openai(api_key=given).headers == {"Authorization": f"Bearer {KEY}"}
    assert azure("x", "d", given).headers == {"api-key": KEY}
    other = resolve("ws://host/", api_key=given)
    assert other is not None
    assert other.headers == {"Authorization": f"Bearer {KEY}"}
    assert Endpoint("ws://host", headers={"X-Key": given}).headers == {"X-Key": KEY}


@pytest.mark.parametrize(
    "key",
    [f"{KEY}\nX-Other: 1", f"{KEY}\r\n{KEY}", f"{KEY}\x00", f"{KEY}\x7f", f"{KEY}é", f"“{KEY}”"],
)
def test_a_key_that_no_header_can_hold_is_refused_without_a_word_of_it(key: str) -> None:
    makes: list[Callable[[], object]] = [
        lambda: openai(api_key=key),
        lambda: azure("x", "d", key),
        lambda: resolve("ws://host/", api_key=key),
        lambda: Endpoint("ws://host", headers={"Authorization": f"Bearer {key}"}),
    ]
    for make in makes:
        with pytest.raises(ConfigurationError, match="Copy the key again") as raised:
            make()
        assert KEY not in f"{raised.value!r}{raised.value.__cause__}{raised.value.__context__}"


@pytest.mark.parametrize("headers", [{"a b": "x"}, {"": "x"}, {1: "x"}, {"k": None}, {"k": b"x"}])
def test_headers_that_cannot_be_sent_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="header"):
        Endpoint("ws://host", headers=headers)


@pytest.mark.parametrize("key", [b"sk-bytes", 5, ["sk"]])
def test_a_key_is_a_text(key: str) -> None:
    with pytest.raises(ConfigurationError, match="api_key is a text"):
        openai(api_key=key)


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("ws://127.0.0.1:8000/v1", True),
        ("ws://127.9.9.9/v1", True),
        ("ws://[::1]:8000/v1", True),
        ("ws://localhost:8000", True),
        ("ws://LOCALHOST", True),
        ("ws://a.localhost", True),
        ("ws://10.0.0.1", False),
        ("wss://localhost.example.org", False),
        ("wss://api.openai.com", False),
    ],
)
def test_what_is_on_this_computer(url: str, loopback: bool) -> None:
    assert Endpoint(url).is_loopback is loopback


def test_what_a_server_repeats_is_known_in_every_form() -> None:
    endpoint = Endpoint(
        "wss://user:pass%2Fword@host/v1?key=query%2Bkey-1&model=gpt", "m", {"api-key": "0a1b2c3d4e"}
    )
    said = "0a1b2c3d4e, query+key-1, query%2Bkey-1, pass/word, pass%2Fword, gpt"
    assert endpoint.without_secrets(said) == ", ".join(["[removed]"] * 5 + ["gpt"])


# --- kinds of servers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "url", "dialect", "rate"),
    [
        ("openai", f"wss://api.openai.com/v1/realtime?model={DEFAULT_MODEL}", "ga", 24_000),
        ("xai", "wss://api.x.ai/v1/realtime?model=grok-voice-latest", "ga", 24_000),
        ("speaches", "ws://127.0.0.1:8000/v1/realtime", "beta", 24_000),
        ("localai", "ws://127.0.0.1:8080/v1/realtime", "ga", 24_000),
        ("huggingface", "ws://127.0.0.1:8765/v1/realtime?model=local", "ga", 24_000),
        (
            "alibaba",
            "wss://dashscope-intl.aliyuncs.com/api-ws/v1/realtime?model=qwen3-omni-flash-realtime",
            "beta",
            16_000,
        ),
    ],
)
def test_a_known_kind_by_its_name(name: str, url: str, dialect: str, rate: int) -> None:
    endpoint = resolve(name, api_key=KEY)
    assert endpoint == Endpoint.named(name, api_key=KEY)
    assert endpoint.connect_url == url
    assert (endpoint.kind, endpoint.dialect, endpoint.input_rate) == (name, dialect, rate)
    assert endpoint.headers == {"Authorization": f"Bearer {KEY}"}
    assert KEY not in repr(endpoint)


def test_a_kind_elsewhere_keeps_its_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
    endpoint = Endpoint.named("alibaba", "wss://example.org/realtime", model="m")
    assert endpoint.connect_url == "wss://example.org/realtime?model=m"
    assert (endpoint.dialect, endpoint.input_rate) == ("beta", 16_000)
    assert endpoint.headers == {"Authorization": f"Bearer {KEY}"}
    assert Endpoint.named("speaches", "ws://10.0.0.1:8000/v1/realtime").headers == {}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Endpoint.named("acme"), "'acme' is no known kind of server. Give one of 'openai'"),
        (lambda: Endpoint.named("azure", api_key=KEY), r"url of Azure OpenAI, or use rt\.azure"),
        (lambda: Endpoint.named("xai"), "XAI_API_KEY"),
        (lambda: resolve("azure", api_key=KEY), r"use rt\.azure"),
        (lambda: Endpoint("ws://a/b", input_rate=44_100), "input_rate is 44100; give one of 8000"),
        (lambda: azure("r", "d", KEY, token="t"), "not both"),
    ],
)
def test_kinds_that_can_not_be_meant(
    make: Callable[[], object], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XAI_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match=words):
        make()


def test_azure_takes_a_token_and_has_the_path_of_the_beta() -> None:
    endpoint = azure("mine", "voice", token=KEY)
    assert endpoint.headers == {"Authorization": f"Bearer {KEY}"}
    old = azure("mine", "voice", KEY, api_version="2025-04-01-preview")
    assert old.connect_url == (
        "wss://mine.openai.azure.com/openai/realtime?"
        "api-version=2025-04-01-preview&deployment=voice"
    )
    assert (old.dialect, old.headers) == ("beta", {"api-key": KEY})


def test_openai_is_told_who_talks() -> None:
    endpoint = openai(api_key=KEY, safety_identifier="hash-of-a-person")
    assert endpoint.headers["OpenAI-Safety-Identifier"] == "hash-of-a-person"
    assert endpoint.headers["Authorization"] == f"Bearer {KEY}"
    assert "hash-of-a-person" not in repr(endpoint)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "No such file"), ("", "no certificates in PEM"), ("hello", "no certificates in PEM")],
)
def test_a_ca_file_that_is_none_is_named(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    endpoint = Endpoint("wss://127.0.0.1:1/v1/realtime", ca_file=path)
    with pytest.raises(ConfigurationError, match=rf"ca_file .*ca\.pem.*{words}.*Give the path"):
        _ = endpoint.tls


def test_without_tls_a_ca_file_means_nothing() -> None:
    assert Endpoint("ws://127.0.0.1:1", ca_file="gone.pem").tls is None
    assert Endpoint("wss://127.0.0.1:1").tls is None


def test_a_running_server_can_be_given_wherever_a_name_can() -> None:
    taken = {}
    for name in rt.__all__:
        public = getattr(rt, name)
        parameters = inspect.signature(public).parameters if callable(public) else {}
        if "endpoint" in parameters:
            taken[name] = str(parameters["endpoint"].annotation)
    by_name = {name: kinds for name, kinds in taken.items() if "str" in kinds}

    assert {"Agent", "SessionManager", "connect", "doctor", "replay", "verify"} <= by_name.keys()
    assert [name for name, kinds in by_name.items() if "RunningServer" not in kinds] == []
