"""Where to connect and how: the local server, OpenAI, Azure, any URL that speaks the protocol."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from realtime_nb.archive.redaction import without_known
from realtime_nb.errors import ConfigurationError, at_call
from realtime_nb.errors.option_names import takes_names
from realtime_nb.errors.secret_shapes import note_keys, without_shapes
from realtime_nb.protocol.dialect import BETA_OFF, BETA_REMEDY

__all__ = ["DEFAULT_MODEL", "Endpoint", "azure", "local", "openai", "resolve"]

DEFAULT_MODEL = "gpt-realtime-2.1"
_LOCAL_MODEL = "local"
_OPEN_PARAMETERS = ("model", "deployment", "api-version", "intent")
_SCHEMES = ("bearer ", "basic ", "token ")
_LOOPBACK = ("localhost", "ip6-localhost", "ip6-loopback")


@at_call
@takes_names
@dataclass(frozen=True, slots=True)
class Endpoint:
    """A Realtime server.

    Attributes:
        url: ``ws://`` or ``wss://``; the model is added to its query.
        model: model id (Azure: the deployment's name), None where the URL says it.
        headers: sent with the upgrade; keys live here and never show in a repr.
        dialect: ``beta`` for servers that still speak it.
        kind: how recordings and widgets call it: ``local``, ``openai``, ``azure``, ``url``.
        transcription_model: asked for by default, None where the server should decide.
        of: where a recording is served, the kind of the server that answered in it.
    """

    url: str
    model: str | None = None
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    dialect: Literal["ga", "beta"] = "ga"
    kind: str = "url"
    transcription_model: str | None = "gpt-4o-mini-transcribe"
    of: str | None = None

    def __post_init__(self) -> None:
        """Refuses what can't be a Realtime URL, and headers that can't be sent.

        Space around a key is of the file that it was read from.
        """
        if not isinstance(self.url, str):
            raise ConfigurationError(f"A Realtime URL is a text, not {type(self.url).__name__}.")
        object.__setattr__(self, "url", self.url.strip())
        headers = {name: _sendable(name, value) for name, value in dict(self.headers).items()}
        object.__setattr__(self, "headers", headers)
        note_keys(_keys_in(headers))
        try:
            parts = urlsplit(self.url)
            usable = parts.scheme in ("ws", "wss") and bool(parts.hostname)
            usable = usable and parts.port != 0  # looking at it raises for a port that is none
            usable = usable and self.url.isprintable() and " " not in self.url
        except ValueError:
            usable = False
        if not usable:
            # Neither its query nor its user is shown.
            shown = self.url.split("?")[0].split("#")[0].split("@")[-1]
            raise ConfigurationError(
                f"{shown!r} is not a Realtime URL. Use 'local', 'openai', or a URL such as "
                "ws://127.0.0.1:8000/v1/realtime."
            )

    def __repr__(self) -> str:
        return f"Endpoint({self.shown_url!r}, model={self.model!r}, kind={self.kind!r})"

    @property
    def connect_url(self) -> str:
        """The URL with the model in its query."""
        parts = urlsplit(self.url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if self.model is not None:
            query["model"] = self.model
        return urlunsplit(parts._replace(query=urlencode(query)))

    @property
    def shown_url(self) -> str:
        """The URL without query or user: safe to print and to record."""
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        place = f"{host}:{parts.port}" if parts.port else host
        return urlunsplit((parts.scheme, place, parts.path, "", ""))

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this computer, so that no proxy could reach it."""
        host = (urlsplit(self.url).hostname or "").rstrip(".")
        try:
            return ip_address(host.split("%")[0]).is_loopback
        except ValueError:
            return host in _LOOPBACK or host.endswith(".localhost")

    @property
    def secrets(self) -> list[str]:
        """The keys that we connect with, in every form in which somebody may repeat them."""
        parts = urlsplit(self.url)
        query = parse_qsl(parts.query)
        found = [value for name, value in query if name not in _OPEN_PARAMETERS]
        found += [unquote(part) for part in (parts.password, parts.fragment) if part]
        found += _keys_in(self.headers)
        return list(dict.fromkeys(form for one in found for form in _forms(one)))

    def without_own(self, text: str) -> str:
        """Returns a text without the keys that we connect with; what else it holds is its own."""
        return str(without_known(text, self.secrets))

    def without_secrets(self, text: str) -> str:
        """Returns what somebody else wrote, without the keys that we connect with and without what
        looks like one."""
        return without_shapes(self.without_own(text))

    def refusal_words(self, message: str, code: str | None) -> str:
        """Returns why the server refused a session, without keys, and what helps."""
        words = self.without_secrets(message)
        return f"{words} What to do: {BETA_REMEDY}." if code == BETA_OFF else words


def _keys_in(headers: Mapping[str, str]) -> list[str]:
    """Returns what headers hold, with the scheme and without."""
    found: list[str] = []
    for value in headers.values():
        scheme = next((one for one in _SCHEMES if value.lower().startswith(one)), "")
        found += [value, value[len(scheme) :].strip()]
    return found


def _forms(secret: str) -> tuple[str, ...]:
    """Returns a key as it is, in an address, in Python, in JSON and in a page."""
    return (
        secret,
        quote(secret, ""),
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        html.escape(secret),
    )


def _sendable(name: object, value: object) -> str:
    """Returns the value of a header without space around it.

    Raises:
        ConfigurationError: it, or the name, can't be sent. Nothing of the value is told.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
        raise ConfigurationError("A header's name is a text without spaces; one of yours is none.")
    if not isinstance(value, str):
        kind = type(value).__name__
        raise ConfigurationError(f"The header {name} is a text, not {kind}.")
    value = value.strip()
    if not (value.isascii() and value.isprintable()):
        raise ConfigurationError(
            f"The header {name} holds a line break or another character that no key has. Copy the "
            "key again; of a file, take one line only."
        )
    return value


def _key(given: str | None, variable: str, whose: str, otherwise: str = "") -> str:
    """Returns the key that was given, or is in the environment.

    Raises:
        ConfigurationError: there is none, or it can't be one.
    """
    if given is not None and not isinstance(given, str):
        raise ConfigurationError(f"api_key is a text, not {type(given).__name__}.")
    key = (given or os.environ.get(variable) or "").strip()
    if not key:
        raise ConfigurationError(
            f"{whose} needs an API key: set {variable} or pass api_key=….{otherwise}"
        )
    return key


@at_call
def openai(model: str | None = None, api_key: str | None = None) -> Endpoint:
    """Returns OpenAI's Realtime API; the key comes from ``OPENAI_API_KEY`` unless it is given."""
    key = _key(api_key, "OPENAI_API_KEY", "OpenAI", ' The endpoint "local" needs none.')
    return Endpoint(
        "wss://api.openai.com/v1/realtime",
        model or DEFAULT_MODEL,
        {"Authorization": f"Bearer {key}"},
        kind="openai",
    )


@at_call
def azure(resource: str, deployment: str, api_key: str | None = None) -> Endpoint:
    """Returns Azure OpenAI's GA endpoint.

    Args:
        resource: the resource's name, or its host (``x.openai.azure.com``).
        deployment: name of the deployment, which takes the model's place.
        api_key: None: ``AZURE_OPENAI_API_KEY``.
    """
    key = _key(api_key, "AZURE_OPENAI_API_KEY", "Azure")
    host = resource if "." in resource else f"{resource}.openai.azure.com"
    return Endpoint(
        f"wss://{host}/openai/v1/realtime",
        deployment,
        {"api-key": key},
        kind="azure",
        # A transcription model is the name of a deployment there, which can't be guessed.
        transcription_model=None,
    )


def local(url: str, token: str, model: str | None = None) -> Endpoint:
    """Returns a running local server of this package."""
    return Endpoint(url, model or _LOCAL_MODEL, {"Authorization": f"Bearer {token}"}, kind="local")


def resolve(
    endpoint: str | Endpoint, model: str | None = None, api_key: str | None = None
) -> Endpoint | None:
    """Returns the endpoint that a name, URL or Endpoint means; None for ``"local"``, still to be
    started.

    Raises:
        ConfigurationError: an unknown name, a URL that is none, a missing key.
    """
    if isinstance(endpoint, Endpoint):
        if model is None and api_key is None:
            return endpoint
        raise ConfigurationError("Give model and api_key to the Endpoint itself.")
    if endpoint == "local":
        return None
    if endpoint == "openai":
        return openai(model, api_key)
    if "://" not in endpoint:
        raise ConfigurationError(
            f"Unknown endpoint {without_shapes(endpoint)!r}. Use 'local', 'openai', a ws:// or "
            "wss:// URL, rt.azure(…) or rt.Endpoint(…)."
        )
    key = _key(api_key, "", "The endpoint") if api_key else None
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    default_model = None if "model=" in endpoint.partition("?")[2] else DEFAULT_MODEL
    return Endpoint(endpoint, model or default_model, headers)
