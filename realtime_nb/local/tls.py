"""How the local server proves over TLS that it is itself: a certificate made here, or one's own.

The one made here is signed by nobody but itself, so that a client has to be told to trust it. It
lies with its key where its owner alone can read, stays the same until it is about to expire, and
is good for this machine only.
"""

from __future__ import annotations

import os
import shutil
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from realtime_nb.errors import ConfigurationError, MissingExtraError

__all__ = ["Certificate", "TlsChoice", "certificate_for"]

_CERT, _KEY = "certificate.pem", "key.pem"
_GOOD_FOR = timedelta(days=365)
_RENEWED_BEFORE = timedelta(days=30)

TlsChoice = bool | tuple[str | Path, str | Path]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its key, as PEM files.

    Attributes:
        path: of the certificate, which clients are to trust; of it with its chain, where it is the
            user's.
        key: of the private key.
        made_here: whether nobody else signed it.
    """

    path: Path
    key: Path
    made_here: bool

    def context(self) -> ssl.SSLContext:
        """Returns what a server needs to speak TLS with it.

        Raises:
            ConfigurationError: a file is missing or is not what it should be.
        """
        for name, path in (("certificate", self.path), ("key", self.key)):
            try:
                path.read_bytes()
            except OSError as error:
                raise ConfigurationError(
                    f"The TLS {name} {path} can't be read ({error.strerror}). Give the path of a "
                    "PEM file."
                ) from None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.path, self.key, password=_no_password)
        except ssl.SSLError as error:
            raise ConfigurationError(
                f"{self.path} and {self.key} are no TLS certificate and its key "
                f"({error.reason or 'no PEM'}). Give the certificate first (PEM, with its chain), "
                "then the private key of this certificate."
            ) from None
        return context

    @property
    def trusted_by(self) -> dict[str, str]:
        """Environment variables by which other programs trust it."""
        return {"SSL_CERT_FILE": str(self.path), "NODE_EXTRA_CA_CERTS": str(self.path)}


def certificate_for(tls: TlsChoice) -> Certificate | None:
    """Returns what ``serve(tls=…)`` means: the certificate made here, the user's, or none.

    Raises:
        ConfigurationError: it means nothing.
        MissingExtraError: there is nothing to make a certificate with.
    """
    if tls is False:
        return None
    if tls is True:
        return _own(_private_folder())
    paths = list(tls) if isinstance(tls, tuple | list) else []
    if len(paths) != 2 or not all(isinstance(path, str | Path) for path in paths):
        raise ConfigurationError(
            f"tls is {tls!r}; give True for a certificate that is made here, or the paths of "
            "yours and of its key: ('certificate.pem', 'key.pem')."
        )
    cert, key = (Path(path).expanduser() for path in paths)
    return Certificate(cert, key, made_here=False)


def _private_folder() -> Path:
    """Returns where the certificate made here lies."""
    home = os.environ.get("XDG_DATA_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(home) if home else Path.home() / ".local" / "share") / "realtime_nb" / "tls"


def _no_password() -> str:
    raise ConfigurationError(
        "The TLS key is protected by a password. Give one that is not: openssl pkey -in KEY "
        "-out PLAIN_KEY"
    )


def _own(folder: Path) -> Certificate:
    own = Certificate(folder / _CERT, folder / _KEY, made_here=True)
    if _is_good(own):
        return own
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".tls-", dir=folder.parent))  # its owner's alone
    except OSError as error:
        raise ConfigurationError(
            f"There is no place for a TLS certificate at {folder} ({error.strerror}). Set "
            "XDG_DATA_HOME to a folder of yours, or give a certificate: tls=(certificate, key)."
        ) from None
    try:
        for name, content in _made().items():
            with open(os.open(made / name, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                file.write(content)
        _put(made, folder, own)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return own


def _put(made: Path, folder: Path, own: Certificate) -> None:
    """Puts both files there at once; where another server was quicker, its files stay."""
    try:
        made.rename(folder)
        return
    except OSError:  # there is one
        if _is_good(own):
            return
    old = made.with_name(made.name + "-old")
    try:
        folder.rename(old)
        made.rename(folder)
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _is_good(own: Certificate) -> bool:
    """Tells whether the certificate is there, is this key's, will last, and its key was seen by
    nobody else."""
    x509 = _x509()
    try:
        expires_at = x509.load_pem_x509_certificate(own.path.read_bytes()).not_valid_after_utc
        seen = os.name == "posix" and own.key.stat().st_mode & 0o077
        own.context()
    except (OSError, ValueError, ConfigurationError):
        return False
    return not seen and expires_at - datetime.now(UTC) > _RENEWED_BEFORE


def _x509() -> Any:
    try:
        from cryptography import x509
    except ImportError:
        raise MissingExtraError("cryptography", "tls") from None
    return x509


def _made() -> dict[str, bytes]:
    """Returns a new certificate and its key, by the names of their files."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    x509 = _x509()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "realtime_nb local server")])
    addresses = [x509.IPAddress(ip_address(host)) for host in ("127.0.0.1", "::1")]
    names = [x509.DNSName("localhost"), *addresses]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # for clocks that are behind
        .not_valid_after(now + _GOOD_FOR)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        # It vouches for itself and for no other.
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return {_CERT: certificate.public_bytes(pem), _KEY: key.private_bytes(pem, form, plain)}
