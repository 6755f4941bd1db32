"""How people log into a Trino of the tests: by password over HTTPS, with a certificate of the tests' own authority."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.trino_settings import Properties

_ROUNDS = 1000


def certify(folder: Path) -> Path:
    """Write a key and a certificate for loopback, which vouches for itself; return the file, for both sides."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    began = datetime.now(tz=UTC) - timedelta(days=1)
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(began + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = made.public_bytes(serialization.Encoding.PEM)
    (folder / "server.pem").touch(mode=0o600)
    (folder / "server.pem").write_bytes(secret + public)
    (folder / "ca.pem").write_bytes(public)
    return folder / "server.pem"


def https(etc: Path, *, port: int) -> Properties:
    """Return what config.properties says of HTTPS and passwords. Over HTTP, a person's word is taken as before."""
    return {
        "http-server.https.enabled": "true",
        "http-server.https.port": str(port),
        "http-server.https.keystore.path": str(certify(etc)),
        "http-server.authentication.type": "PASSWORD",
        "http-server.authentication.allow-insecure-over-http": "true",
        "internal-communication.shared-secret": hashlib.sha256(str(etc).encode()).hexdigest(),
    }


def password_file(path: Path, passwords: Mapping[str, str]) -> Properties:
    """Write who may log in with what; return password-authenticator.properties."""
    lines = (f"{user}:{_kept(password, salt=user)}\n" for user, password in passwords.items())
    path.write_text("".join(lines), encoding="utf-8")
    return {"password-authenticator.name": "file", "file.password-file": str(path)}


def _kept(password: str, *, salt: str) -> str:
    made = hashlib.pbkdf2_hmac("sha1", password.encode(), salt.encode(), _ROUNDS, dklen=32)
    return f"{_ROUNDS}:{salt.encode().hex()}:{made.hex()}"
