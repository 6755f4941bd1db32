"""The port at which Trino asks: loopback, or nobody without a certificate of the stated authority."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from hms_registry.bootstrap import Registry
from hms_registry.errors import SettingsInvalid
from hms_registry.http.metrics import Metrics
from hms_registry.services.trino_settings import OpaListener
from hms_registry.trino_listener import TrinoListener
from trino_world import asks, registry_of

ALLOW = "/v1/data/trino/allow"


@contextmanager
def listening(registry: Registry, settings: OpaListener) -> Iterator[int]:
    """Listen, and say at which port."""
    listener = TrinoListener(registry, settings, metrics=Metrics(registry))
    with start_blocking_portal() as portal:
        portal.call(listener.start)
        try:
            yield listener.port
        finally:
            portal.call(listener.stop)


def authority(folder: Path, name: str) -> tuple[Path, Path]:
    """Make an authority: its certificate and key."""
    certificate, key = folder / f"{name}-ca.pem", folder / f"{name}-ca.key"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(certificate))  # fmt: skip
    return certificate, key


def certified(folder: Path, name: str, by: tuple[Path, Path]) -> tuple[Path, Path]:
    """Make a certificate for loopback, and its key."""
    certificate, key, request = folder / f"{name}.pem", folder / f"{name}.key", folder / f"{name}.csr"
    names = folder / f"{name}.ext"
    names.write_text("subjectAltName=IP:127.0.0.1\n")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", str(key), "-out", str(request))  # fmt: skip
    openssl("x509", "-req", "-in", str(request), "-CA", str(by[0]), "-CAkey", str(by[1]), "-days", "2",
            "-extfile", str(names), "-out", str(certificate))  # fmt: skip
    return certificate, key


def openssl(*words: str) -> None:
    """Run openssl."""
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def test_on_loopback_it_answers_whoever_is_there() -> None:
    """And by no name but those of loopback."""
    question = asks("ExecuteQuery", user="ana")
    with registry_of() as registry, listening(registry, OpaListener(port=0)) as port:
        url = f"http://127.0.0.1:{port}{ALLOW}"
        answers = [httpx.post(url, json=question), httpx.post(url, json=question, headers={"Host": "evil.example"})]

    assert [each.status_code for each in answers] == [200, 403]
    assert answers[0].json()["result"] is True


def test_with_certificates_it_answers_nobody_who_has_none_of_the_stated_authority(tmp_path: Path) -> None:
    """Neither without a certificate, nor with one of another authority, nor in plain text."""
    ours, others = authority(tmp_path, "ours"), authority(tmp_path, "others")
    certificate, key = certified(tmp_path, "registry", ours)
    settings = OpaListener(port=0, certificate=certificate, key=key, client_ca=ours[0])
    question = asks("ExecuteQuery", user="ana")

    def asked(port: int, presented: tuple[Path, Path] | None) -> int | str:
        trusting = ssl.create_default_context(cafile=str(ours[0]))
        if presented is not None:
            trusting.load_cert_chain(*presented)
        try:
            return httpx.post(f"https://127.0.0.1:{port}{ALLOW}", json=question, verify=trusting).status_code
        except httpx.TransportError:
            return "refused"

    with registry_of() as registry, listening(registry, settings) as port:
        told = [
            asked(port, each) for each in (certified(tmp_path, "trino", ours), None, certified(tmp_path, "x", others))
        ]
        with pytest.raises(httpx.TransportError):
            httpx.post(f"http://127.0.0.1:{port}{ALLOW}", json=question)

    assert told == [200, "refused", "refused"]


def test_what_cannot_be_listened_on_is_told_before_anything_is_served(tmp_path: Path) -> None:
    """A port that is taken, and files that are no certificate."""
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    with registry_of() as registry, socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsInvalid, match=f"trino.opa cannot listen on 127.0.0.1, port {port}"):
            TrinoListener(registry, OpaListener(port=port), metrics=Metrics(registry))
        settings = OpaListener(port=0, certificate=broken, key=broken, client_ca=broken)
        with pytest.raises(SettingsInvalid, match="no certificate with its key"):
            TrinoListener(registry, settings, metrics=Metrics(registry))
