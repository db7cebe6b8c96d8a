"""The server's own certificate authority, its serving certificate, the admin token and the kubeconfig."""

from __future__ import annotations

import base64
import ipaddress
import os
import secrets
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

LIFETIME = timedelta(days=3650)


@dataclass(frozen=True)
class Identity:
    """What a running server shows and accepts. Kept in the data directory, so that a restart changes nothing."""

    ca_pem: str
    certificate: Path
    key: Path
    admin_token: str

    def tls_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def load_or_create_identity(folder: Path, host: str) -> Identity:
    """Read the identity from ``folder``, or make it there. The certificate is good for ``host`` and for localhost."""
    ca, certificate, key, token = (folder / name for name in ("ca.crt", "server.crt", "server.key", "admin.token"))
    if not all(path.exists() for path in (ca, certificate, key, token)):
        ca_pem, certificate_pem, key_pem = _issue(host)
        write_atomically(ca, ca_pem)
        write_atomically(certificate, certificate_pem)
        write_atomically(key, key_pem, mode=0o600)
        write_atomically(token, secrets.token_urlsafe(32), mode=0o600)
    return Identity(ca.read_text(), certificate, key, token.read_text().strip())


def write_kubeconfig(path: Path, *, server: str, identity: Identity) -> None:
    """Write the admin's kubeconfig. It appears whole or not at all: its existence says that the server listens."""
    name = "embedded"
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(identity.ca_pem.encode()).decode()}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": identity.admin_token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "admin", "namespace": "default"}}],
        "current-context": name,
    }
    write_atomically(path, yaml.safe_dump(config, sort_keys=False), mode=0o600)


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    os.replace(scratch, path)


def _issue(host: str) -> tuple[str, str, str]:
    """CA certificate, server certificate and server key as PEM. The CA's key is forgotten at once."""
    # Only the first start needs this large library.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    now = datetime.now(UTC)

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def builder(subject: str, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("embedded-cluster-ca"))
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + LIFETIME)
        )

    ca_key = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    ca_usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    ca = (
        builder("embedded-cluster-ca", ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(ca_usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    addresses: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    try:
        addresses.append(x509.IPAddress(ipaddress.ip_address(host)))
    except ValueError:
        addresses.append(x509.DNSName(host))
    certificate = (
        builder("embedded-apiserver", key.public_key())
        .add_extension(x509.SubjectAlternativeName(list(dict.fromkeys(addresses))), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return (
        ca.public_bytes(pem).decode(),
        certificate.public_bytes(pem).decode(),
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode(),
    )
