"""The command ``serve``: the local Realtime server until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import os
import shlex
import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from realtime_nb.commands.options import AsJson, Llm, Stt, Tts, Vad, print_json
from realtime_nb.errors import ConfigurationError

if TYPE_CHECKING:
    from realtime_nb.local.llm import LLM
    from realtime_nb.local.server import LocalServer
    from realtime_nb.local.tls import Certificate

__all__ = ["keep_what_is_loaded", "serve"]


class Dialect(StrEnum):
    """What clients of the local server speak that don't ask for the beta."""

    GA = "ga"
    AUTO = "auto"


def serve(
    port: Annotated[int, typer.Option(help="0 picks a free one.")] = 0,
    token: Annotated[
        str | None, typer.Option(help="What clients must give as key; made up if left out.")
    ] = None,
    vad: Vad = None,
    stt: Stt = None,
    llm: Llm = None,
    tts: Tts = None,
    llm_url: Annotated[
        str | None,
        typer.Option(help="OpenAI-compatible endpoint to think with, such as Ollama's."),
    ] = None,
    llm_model: Annotated[str | None, typer.Option(help="Model at --llm-url.")] = None,
    lead_ms: Annotated[
        float | None,
        typer.Option(
            help="How far answers are sent ahead of their playing time. "
            "[default: as fast as they are made, as by OpenAI]",
            show_default=False,
        ),
    ] = None,
    session_minutes: Annotated[
        float, typer.Option(help="A session that lasts longer is closed.")
    ] = 60.0,
    dialect: Annotated[
        Dialect,
        typer.Option(help="ga refuses beta events as OpenAI does; auto answers them in beta."),
    ] = Dialect.GA,
    strict_ga: Annotated[
        bool, typer.Option("--strict-ga", help="Refuse clients of the beta, as OpenAI does.")
    ] = False,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(help="Origin of a web page that may connect; may be given several times."),
    ] = None,
    tls: Annotated[
        bool, typer.Option("--tls", help="wss:// by a certificate that is made here.")
    ] = False,
    tls_cert: Annotated[
        Path | None, typer.Option(help="wss:// by your certificate (PEM, with its chain).")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The key of --tls-cert (PEM).")] = None,
    as_json: AsJson = False,
) -> None:
    """Runs the local Realtime server until Ctrl-C or SIGTERM.

    With --json, one line tells when it is ready: {"url", "token", "pid", "engines"}, with TLS also
    "certificate".
    """
    if (tls_cert is None) != (tls_key is None):
        raise ConfigurationError("--tls-cert and --tls-key go together; give both.")
    if (llm_url is None) != (llm_model is None):
        raise ConfigurationError("--llm-url and --llm-model go together; give both.")
    if llm is not None and llm_url is not None:
        raise ConfigurationError("--llm and --llm-url name two models; give one of them.")
    thinks: LLM | str | None = llm
    if llm_url is not None and llm_model is not None:
        from realtime_nb.local.chat import ChatLLM

        thinks = ChatLLM(llm_url, llm_model)
    from realtime_nb.local.server import serve as local_server

    server = local_server(
        port,
        token,
        vad=vad,
        stt=stt,
        llm=thinks,
        tts=tts,
        lead_ms=lead_ms,
        session_minutes=session_minutes,
        dialect=dialect.value,
        strict_ga=strict_ga,
        allow_origins=allow_origin or (),
        tls=(tls_cert, tls_key) if tls_cert is not None and tls_key is not None else tls,
    )
    asyncio.run(_serve(server, as_json))


async def _serve(made: LocalServer, as_json: bool) -> None:
    stop = asyncio.Event()
    if os.name == "posix":
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
    async with made as server:
        if stop.is_set():
            return
        keep_what_is_loaded()
        certificate = server.certificate
        if as_json:
            ready = {"url": server.url, "token": server.token, "pid": os.getpid()}
            told = {} if certificate is None else {"certificate": str(certificate.path)}
            print_json({**ready, "engines": server.engines.names, **told})
        else:
            engines = ", ".join(f"{kind} {name}" for kind, name in server.engines.names.items())
            print(f"url    {server.url}\ntoken  {server.token}\n{engines}")
            if certificate is not None:
                print(_how_to_trust(certificate))
            print("Ctrl-C ends it.")
            sys.stdout.flush()
        await stop.wait()


def keep_what_is_loaded() -> None:
    """Lets the collector not look again at what is there now, for a process that is a server's
    alone: a full collection holds up all sessions, mostly for modules that stay to the end."""
    gc.collect()
    gc.freeze()


def _how_to_trust(certificate: Certificate) -> str:
    """Returns what a client has to be told."""
    if not certificate.made_here:
        return f"certificate  {certificate.path}"
    python, node = certificate.trusted_by.items()
    return (
        f"certificate  {certificate.path}\n"
        "It is signed by itself. A program that talks to this server trusts it by a variable:\n"
        f"  {python[0]}={shlex.quote(python[1])}  (Python, and what else uses OpenSSL; it then "
        "trusts no other)\n"
        f"  {node[0]}={shlex.quote(node[1])}  (Node)\n"
        "and this package by rt.Endpoint(url, …, ca_file=certificate)."
    )
