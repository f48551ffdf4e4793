"""Certificates made here and brought, and servers that speak TLS with them."""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import ssl
import sys
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from openai import AsyncOpenAI

import realtime_nb as rt
from realtime_nb.errors import ConfigurationError, ConnectionFailedError, MissingExtraError
from realtime_nb.local import server as server_module
from realtime_nb.local import tls as tls_module
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.local.tls import Certificate, certificate_for
from realtime_nb.session.endpoints import local
from tests.conformance.validate import validate
from tests.local.fake_engines import fake_server


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path


def made() -> Certificate:
    certificate = certificate_for(True)
    assert certificate is not None
    return certificate


def serial(certificate: Certificate) -> int:
    return x509.load_pem_x509_certificate(certificate.path.read_bytes()).serial_number


# --- the certificate made here ---


@pytest.mark.skipif(os.name != "posix", reason="rights are posix's")
def test_it_lies_where_its_owner_alone_can_read(home: Path) -> None:
    certificate = made()
    for path in (certificate.path, certificate.key):
        assert home in path.parents
        assert path.stat().st_mode & 0o777 == 0o600
    assert certificate.path.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in (home / "realtime_nb").iterdir()] == ["tls"]  # nothing is left


def test_it_is_this_machine_s_and_vouches_for_no_other() -> None:
    found = x509.load_pem_x509_certificate(made().path.read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    lasts = found.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(360) < lasts < datetime.timedelta(366)


def test_it_stays_until_it_is_about_to_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    first = serial(made())
    assert serial(made()) == first
    monkeypatch.setattr(tls_module, "_RENEWED_BEFORE", datetime.timedelta(days=400))
    renewed = made()
    assert serial(renewed) != first
    renewed.context()  # certificate and key belong together


def _seen(certificate: Certificate) -> None:
    certificate.key.chmod(0o644)


def _lost(certificate: Certificate) -> None:
    certificate.key.unlink()


def _broken(certificate: Certificate) -> None:
    certificate.path.write_text("no certificate")


def _mixed(certificate: Certificate) -> None:
    certificate.key.write_bytes(pem_key())
    certificate.key.chmod(0o600)


@pytest.mark.parametrize("harm", [_seen, _lost, _broken, _mixed])
@pytest.mark.skipif(os.name != "posix", reason="rights are posix's")
def test_what_can_not_be_used_any_more_is_made_anew(harm: Callable[[Certificate], None]) -> None:
    before = made()
    first = serial(before)
    harm(before)
    after = made()
    assert serial(after) != first
    assert after.key.stat().st_mode & 0o777 == 0o600
    after.context()


def test_servers_that_start_together_have_one(home: Path) -> None:
    found: list[int] = []
    barrier = threading.Barrier(8)

    def start() -> None:
        barrier.wait()
        certificate = made()
        certificate.context()
        found.append(serial(certificate))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1
    assert [path.name for path in (home / "realtime_nb").iterdir()] == ["tls"]


def test_without_what_makes_it_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(MissingExtraError, match=r"realtime_nb\[tls\]"):
        certificate_for(True)


def test_a_place_that_can_not_be_written_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "file"))
    with pytest.raises(ConfigurationError, match="XDG_DATA_HOME"):
        certificate_for(True)


# --- certificates that are brought ---


def pem_key(password: bytes | None = None) -> bytes:
    protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        protection = serialization.BestAvailableEncryption(password)
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
    )


@pytest.mark.parametrize(
    ("cert", "key", "words"),
    [
        ("gone.pem", "key.pem", r"TLS certificate .*gone\.pem can't be read"),
        ("cert.pem", "gone.pem", r"TLS key .*gone\.pem can't be read"),
        ("folder", "key.pem", "can't be read"),
        ("key.pem", "cert.pem", "Give the certificate first"),
        ("cert.pem", "other.pem", "no TLS certificate and its key"),
        ("cert.pem", "empty.pem", "no TLS certificate and its key"),
        ("empty.pem", "key.pem", "no TLS certificate and its key"),
        ("cert.pem", "locked.pem", "protected by a password"),
    ],
)
def test_files_that_are_none(home: Path, cert: str, key: str, words: str) -> None:
    own = made()
    (home / "cert.pem").write_bytes(own.path.read_bytes())
    (home / "key.pem").write_bytes(own.key.read_bytes())
    (home / "other.pem").write_bytes(pem_key())
    (home / "locked.pem").write_bytes(pem_key(b"secret"))
    (home / "empty.pem").write_bytes(b"")
    (home / "folder").mkdir()
    with pytest.raises(ConfigurationError, match=words):
        fake_server(certificate=certificate_for((home / cert, home / key)))


@pytest.mark.parametrize("tls", ["yes", 1, None, ("a.pem",), ("a.pem", "b.pem", "c"), ("a", 5)])
def test_values_that_can_not_be_meant(tls: Any) -> None:
    with pytest.raises(ConfigurationError, match="tls is"):
        rt.serve(tls=tls)


# --- servers ---


@pytest.mark.feature("TLS", "client")
async def test_a_conversation_with_a_certificate_made_here() -> None:
    certificate = made()
    async with fake_server(llm=ScriptedLLM(["Secured."]), certificate=certificate) as server:
        assert server.url == f"wss://127.0.0.1:{server.port}/v1/realtime"
        endpoint = local(server.url, server.token, ca_file=certificate.path)
        async with rt.connect(endpoint, record=None) as session:
            reply = await session.respond(conversation="none", output_modalities=["text"])
            assert reply.text == "Secured."


async def test_a_certificate_that_is_brought(home: Path) -> None:
    own = made()
    cert, key = home / "mine.pem", home / "mine-key.pem"
    cert.write_bytes(own.path.read_bytes())
    key.write_bytes(own.key.read_bytes())
    brought = certificate_for((str(cert), key))
    assert brought == Certificate(cert, key, made_here=False)
    async with fake_server(certificate=brought) as server:
        secret = await rt.client_secret(local(server.url, server.token, ca_file=cert))
        assert secret.endpoint.ca_file == cert
        async with rt.connect(secret.endpoint, record=None):
            assert server.connections == 1


async def test_who_does_not_trust_it_is_told_how() -> None:
    async with fake_server(certificate=made()) as server:
        with pytest.raises(ConnectionFailedError, match=r"ca_file=.*SSL_CERT_FILE"):
            async with rt.connect(local(server.url, server.token), record=None):
                pass
        with pytest.raises(ConnectionFailedError, match="Check the URL"):
            await rt.client_secret(local(server.url, server.token))
        plain = server.url.replace("wss:", "ws:")
        with pytest.raises(ConnectionFailedError, match="Can't connect"):
            async with rt.connect(local(plain, server.token), record=None):
                pass


@pytest.mark.feature("TLS", "server")
async def test_the_sdk_trusts_it_by_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = made()
    for name, value in certificate.trusted_by.items():
        monkeypatch.setenv(name, value)
    async with fake_server(llm=ScriptedLLM(["Hi."]), certificate=certificate) as server:
        base = server.url.removesuffix("/realtime")
        openai = AsyncOpenAI(api_key=server.token, websocket_base_url=base)
        async with openai, openai.realtime.connect(model="m") as connection:
            await connection.response.create(response={"output_modalities": ["text"]})
            async with asyncio.timeout(20):
                async for event in connection:
                    validate(event.to_dict())
                    if event.type == "response.done":
                        assert event.response.status == "completed"
                        break


async def test_plain_http_is_answered_over_tls() -> None:
    certificate = made()
    async with fake_server(certificate=certificate) as server:
        context = ssl.create_default_context(cafile=str(certificate.path))

        def asked(path: str, method: str) -> tuple[int, Any]:
            url = f"https://localhost:{server.port}{path}"
            headers = {"Authorization": f"Bearer {server.token}"}
            request = urllib.request.Request(url, b"{}" if method == "POST" else None, headers)
            request.method = method
            with urllib.request.urlopen(request, context=context, timeout=10) as response:
                return response.status, json.loads(response.read())

        status, models = await asyncio.to_thread(asked, "/v1/models", "GET")
        assert (status, models["data"][0]["id"]) == (200, "local")
        status, secret = await asyncio.to_thread(asked, "/v1/realtime/client_secrets", "POST")
        assert (status, secret["value"][:3]) == (200, "ek_")


async def _ended(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(15):
        return await reader.read()


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05aaaaa"])
async def test_who_speaks_no_tls_disturbs_nobody(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_TLS_HANDSHAKE_S", 0.3)
    certificate = made()
    async with fake_server(certificate=certificate) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(said)
        endpoint = local(server.url, server.token, ca_file=certificate.path)
        async with rt.connect(endpoint, record=None) as session:
            await session.respond(conversation="none", output_modalities=["text"])
        assert b"HTTP/1.1 101" not in await _ended(reader)  # in the end it is cut
        writer.close()
