"""Where to connect and how: the local server, OpenAI, Azure, any URL that speaks the protocol."""

from __future__ import annotations

import html
import json
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from realtime_nb.archive.redaction import without_known
from realtime_nb.errors import ConfigurationError, at_call
from realtime_nb.errors.option_names import takes_names
from realtime_nb.errors.secret_shapes import note_keys, without_shapes
from realtime_nb.protocol.audio_formats import SAMPLE_RATE
from realtime_nb.protocol.dialect import BETA_OFF, BETA_REMEDY
from realtime_nb.session.profiles import PROFILES

__all__ = ["DEFAULT_MODEL", "Endpoint", "azure", "local", "openai", "resolve"]

DEFAULT_MODEL = PROFILES["openai"].model
_LOCAL_MODEL = "local"
_INPUT_RATES = (8_000, 16_000, 24_000, 48_000)
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
        kind: how recordings and widgets call it: ``local``, ``url``, or what is known of such
            servers: ``openai``, ``azure``, ``xai``, ``speaches``, ``localai``, ``huggingface``,
            ``alibaba`` (:meth:`named` makes these).
        transcription_model: asked for by default, None where the server should decide.
        input_rate: samples per second of the PCM that it takes.
        of: where a recording is served, the kind of the server that answered in it.
    """

    url: str
    model: str | None = None
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    dialect: Literal["ga", "beta"] = "ga"
    kind: str = "url"
    transcription_model: str | None = "gpt-4o-mini-transcribe"
    of: str | None = None
    input_rate: int = SAMPLE_RATE
    ca_file: str | Path | None = None

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
        if self.input_rate not in _INPUT_RATES:
            rates = ", ".join(map(str, _INPUT_RATES))
            raise ConfigurationError(f"input_rate is {self.input_rate!r}; give one of {rates}.")
        if not usable:
            # Neither its query nor its user is shown.
            shown = self.url.split("?")[0].split("#")[0].split("@")[-1]
            raise ConfigurationError(
                f"{shown!r} is not a Realtime URL. Use 'local', 'openai', or a URL such as "
                "ws://127.0.0.1:8000/v1/realtime."
            )

    @classmethod
    def named(
        cls,
        name: str,
        url: str | None = None,
        *,
        model: str | None = None,
        api_key: str | None = None,
    ) -> Endpoint:
        """Returns a server of a kind that is known, with its ways: ``rt.Endpoint.named("xai")``.

        Args:
            name: ``openai``, ``azure``, ``xai``, ``speaches``, ``localai``, ``huggingface`` or
                ``alibaba``.
            url: where it is; None: where such servers are.
            model: None: the usual one.
            api_key: None: that of the environment, such as ``XAI_API_KEY``.

        Raises:
            ConfigurationError: an unknown name, or one without a URL or key that it needs.
        """
        profile = PROFILES.get(name)
        if profile is None:
            known = ", ".join(map(repr, PROFILES))
            shown = without_shapes(repr(name))
            raise ConfigurationError(f"{shown} is no known kind of server. Give one of {known}.")
        if url is None and profile.url is None:
            raise ConfigurationError(f"Give the url of {profile.title}, or use rt.{name}(…).")
        if profile.key_variable:
            local = ' The endpoint "local" needs none.' if name == "openai" else ""
            api_key = _key(api_key, profile.key_variable, profile.title, local)
        elif api_key is not None:
            api_key = _key(api_key, "", profile.title)
        header = "api-key" if name == "azure" else "Authorization"
        value = api_key if name == "azure" else f"Bearer {api_key}"
        return cls(
            url or str(profile.url),
            model or profile.model,
            {header: str(value)} if api_key else {},
            dialect=profile.dialect,
            kind=name,
            transcription_model=profile.transcription_model,
            input_rate=profile.input_rate,
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
    def tls(self) -> ssl.SSLContext | None:
        """What it is trusted by, None where nothing is added to the usual.

        Raises:
            ConfigurationError: ``ca_file`` can't be read.
        """
        if self.ca_file is None or not self.url.startswith("wss:"):
            return None
        context = ssl.create_default_context()
        try:
            context.load_verify_locations(self.ca_file)
        except OSError as error:
            is_ssl = isinstance(error, ssl.SSLError)
            reason = "it holds no certificates in PEM" if is_ssl else error.strerror
            raise ConfigurationError(
                f"ca_file {str(self.ca_file)!r} can't be used ({reason}). Give the path of a PEM "
                "file; that of a local server is server.certificate.path."
            ) from None
        return context

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
def openai(
    model: str | None = None, api_key: str | None = None, safety_identifier: str | None = None
) -> Endpoint:
    """Returns OpenAI's Realtime API; the key comes from ``OPENAI_API_KEY`` unless it is given.

    Args:
        model: None: today's.
        api_key: a key, or an ephemeral one (``ek_…``).
        safety_identifier: names the person who talks, best as a hash: OpenAI can then block one
            person instead of you.
    """
    endpoint = Endpoint.named("openai", model=model, api_key=api_key)
    if safety_identifier is None:
        return endpoint
    headers = {**endpoint.headers, "OpenAI-Safety-Identifier": safety_identifier}
    return replace(endpoint, headers=headers)


@at_call
def azure(
    resource: str,
    deployment: str,
    api_key: str | None = None,
    *,
    token: str | None = None,
    api_version: str | None = None,
) -> Endpoint:
    """Returns an Azure OpenAI endpoint: the GA one, unless an ``api_version`` is given.

    Args:
        resource: the resource's name, or its host (``x.openai.azure.com``).
        deployment: name of the deployment, which takes the model's place.
        api_key: None: ``AZURE_OPENAI_API_KEY``.
        token: of Microsoft Entra, instead of a key.
        api_version: that of the path of the beta, for resources that still have it (deprecated
            since 2026-04-30).

    Raises:
        ConfigurationError: no key and no token, or both.
    """
    if token is not None and api_key is not None:
        raise ConfigurationError("Give Azure an api_key or a token, not both.")
    if token is not None:
        headers = {"Authorization": f"Bearer {_key(token, '', 'Azure')}"}
    else:
        headers = {"api-key": _key(api_key, "AZURE_OPENAI_API_KEY", "Azure")}
    host = resource if "." in resource else f"{resource}.openai.azure.com"
    if api_version is not None:
        query = urlencode({"api-version": api_version, "deployment": deployment})
        url = f"wss://{host}/openai/realtime?{query}"
        return Endpoint(url, None, headers, dialect="beta", kind="azure", transcription_model=None)
    return Endpoint(
        f"wss://{host}/openai/v1/realtime",
        deployment,
        headers,
        kind="azure",
        # A transcription model is the name of a deployment there, which can't be guessed.
        transcription_model=None,
    )


def local(
    url: str, token: str, model: str | None = None, ca_file: str | Path | None = None
) -> Endpoint:
    """Returns a running local server of this package."""
    headers = {"Authorization": f"Bearer {token}"}
    return Endpoint(url, model or _LOCAL_MODEL, headers, kind="local", ca_file=ca_file)


class _Certificate(Protocol):
    @property
    def path(self) -> Path:
        """What clients are to trust."""


@runtime_checkable
class RunningServer(Protocol):
    """A local server that was made with :func:`realtime_nb.serve`, and runs."""

    token: str

    @property
    def certificate(self) -> _Certificate | None:
        """What clients are to trust, None without TLS."""

    @property
    def url(self) -> str:
        """Where it listens."""

    @property
    def running(self) -> bool:
        """Whether it does."""


def resolve(
    endpoint: str | Endpoint | RunningServer, model: str | None = None, api_key: str | None = None
) -> Endpoint | None:
    """Returns the endpoint that a name, URL, Endpoint or running server means; None for
    ``"local"``, still to be started.

    Raises:
        ConfigurationError: an unknown name, a URL that is none, a missing key.
    """
    if isinstance(endpoint, Endpoint):
        if model is None and api_key is None:
            return endpoint
        raise ConfigurationError("Give model and api_key to the Endpoint itself.")
    if isinstance(endpoint, RunningServer):
        return _running(endpoint, model, api_key)
    if endpoint == "local":
        return None
    if endpoint in PROFILES:
        return Endpoint.named(endpoint, model=model, api_key=api_key)
    if "://" not in endpoint:
        named = ", ".join(repr(name) for name, profile in PROFILES.items() if profile.url)
        raise ConfigurationError(
            f"Unknown endpoint {without_shapes(endpoint)!r}. Use 'local', {named}, a "
            "ws:// or wss:// URL, rt.azure(…) or rt.Endpoint(…)."
        )
    key = _key(api_key, "", "The endpoint") if api_key else None
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    default_model = None if "model=" in endpoint.partition("?")[2] else DEFAULT_MODEL
    return Endpoint(endpoint, model or default_model, headers)


def _running(server: RunningServer, model: str | None, api_key: str | None) -> Endpoint:
    if not server.running:
        raise ConfigurationError(
            "This server does not run. Connect within async with rt.serve() as server: …, or "
            "between server = await rt.serve() and await server.close()."
        )
    certificate = server.certificate
    trusted = None if certificate is None else certificate.path
    return local(server.url, api_key or server.token, model, trusted)
