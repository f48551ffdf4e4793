"""Where to connect and how: the local server, OpenAI, Azure, any URL that speaks the protocol."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from realtime_nb.archive.redaction import REMOVED
from realtime_nb.errors import ConfigurationError

__all__ = ["DEFAULT_MODEL", "Endpoint", "azure", "local", "openai", "resolve"]

DEFAULT_MODEL = "gpt-realtime-2.1"
_LOCAL_MODEL = "local"
_SECRET_CHARS = 6
"""A value of fewer characters is no key, and taking it out would only spoil the text."""


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
        """Refuses what can't be a Realtime URL."""
        try:
            parts = urlsplit(self.url)
            usable = parts.scheme in ("ws", "wss") and bool(parts.hostname)
            usable = usable and parts.port != 0  # looking at it raises for a port that is none
        except ValueError:
            usable = False
        if not usable:
            # Only what can't be a key is shown of it.
            shown = self.url.split("?")[0].split("@")[-1]
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

    def without_secrets(self, text: str) -> str:
        """Returns what somebody else wrote, without the keys that we connect with."""
        parts = urlsplit(self.url)
        query = dict(parse_qsl(parts.query))
        secrets = [value.removeprefix("Bearer ") for value in self.headers.values()]
        secrets += [parts.password or "", *(query[name] for name in query if name != "model")]
        for secret in secrets:
            if len(secret) >= _SECRET_CHARS:
                text = text.replace(secret, REMOVED)
        return text


def openai(model: str | None = None, api_key: str | None = None) -> Endpoint:
    """Returns OpenAI's Realtime API; the key comes from ``OPENAI_API_KEY`` unless it is given."""
    key = api_key or os.environ.get("OPENAI_API_KEY")
    if not key:
        raise ConfigurationError(
            "OpenAI needs an API key: set OPENAI_API_KEY or pass api_key=…. "
            'The endpoint "local" needs none.'
        )
    return Endpoint(
        "wss://api.openai.com/v1/realtime",
        model or DEFAULT_MODEL,
        {"Authorization": f"Bearer {key}"},
        kind="openai",
    )


def azure(resource: str, deployment: str, api_key: str | None = None) -> Endpoint:
    """Returns Azure OpenAI's GA endpoint.

    Args:
        resource: the resource's name, or its host (``x.openai.azure.com``).
        deployment: name of the deployment, which takes the model's place.
        api_key: None: ``AZURE_OPENAI_API_KEY``.
    """
    key = api_key or os.environ.get("AZURE_OPENAI_API_KEY")
    if not key:
        raise ConfigurationError(
            "Azure needs an API key: set AZURE_OPENAI_API_KEY or pass api_key=…."
        )
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
            f"Unknown endpoint {endpoint!r}. Use 'local', 'openai', a ws:// or wss:// URL, "
            "rt.azure(…) or rt.Endpoint(…)."
        )
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    default_model = None if "model=" in endpoint.partition("?")[2] else DEFAULT_MODEL
    return Endpoint(endpoint, model or default_model, headers)
