"""Certificates for tests, made by the openssl command."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pair:
    cert: Path
    key: Path


@dataclass(frozen=True)
class Certs:
    ca: Path
    """The authority that signed `server` and `client`."""
    server: Pair
    """For localhost, 127.0.0.1 and ::1."""
    other_name: Pair
    """Signed as well, but for another host."""
    common_name: Pair
    """Signed as well, for localhost by the name of its subject only."""
    expired: Pair
    self_signed: Pair
    client: Pair


def _openssl(*args: str) -> None:
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def _pair(folder: Path, name: str) -> Pair:
    return Pair(folder / f"{name}.pem", folder / f"{name}-key.pem")


def _self_signed(pair: Pair, subject: str, names: str = "", is_authority: bool = False) -> None:
    extensions = ["-addext", f"subjectAltName={names}"] if names else []
    if is_authority:
        extensions += ["-addext", "keyUsage=critical,keyCertSign"]
    _openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650"),
        *("-keyout", str(pair.key), "-out", str(pair.cert), "-subj", f"/CN={subject}", *extensions),
    )


def _signed(folder: Path, authority: Pair, name: str, names: str, days: int = 3650) -> Pair:
    pair = _pair(folder, name)
    request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
    extensions.write_text(f"subjectAltName={names}\n" if names else "")
    _openssl(
        *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-keyout", str(pair.key), "-out", str(request), "-subj", f"/CN={name}"),
    )
    _openssl(
        *("x509", "-req", "-in", str(request), "-CA", str(authority.cert), "-CAkey", str(authority.key)),
        *("-CAcreateserial", "-days", str(days), "-extfile", str(extensions), "-out", str(pair.cert)),
    )
    return pair


def make_certs(folder: Path) -> Certs:
    folder.mkdir(parents=True, exist_ok=True)
    here = "DNS:localhost,IP:127.0.0.1,IP:::1"
    authority = _pair(folder, "ca")
    _self_signed(authority, "test authority", is_authority=True)
    self_signed = _pair(folder, "self-signed")
    _self_signed(self_signed, "gateway", here)
    return Certs(
        ca=authority.cert,
        server=_signed(folder, authority, "server", here),
        common_name=_signed(folder, authority, "localhost", ""),
        other_name=_signed(folder, authority, "other-name", "DNS:elsewhere.test"),
        expired=_signed(folder, authority, "expired", here, days=-1),
        self_signed=self_signed,
        client=_signed(folder, authority, "client", "DNS:client.test"),
    )
