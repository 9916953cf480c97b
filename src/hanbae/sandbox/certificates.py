"""The sandbox's own certificate authority, and the kubeconfigs that its components prove themselves with.

Elliptic curves, because making ten RSA keys takes longer than starting the API server.
Everything is made once, when the sandbox is, and valid for longer than one will be kept.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hanbae.sandbox import folders, identities

#: The first address of the service range belongs to the API server.
SERVICE_ADDRESS: Final = "10.96.0.1"
_YEARS: Final = 10

#: Component → common name and group in its client certificate. The names without a group have the roles that
#: Kubernetes itself gives to them.
_CLIENTS: Final = {
    "admin": ("hanbae-admin", "system:masters"),
    "argocd": ("argocd", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
    "kube-proxy": ("system:kube-proxy", ""),
    "apiserver-kubelet-client": ("kube-apiserver-kubelet-client", "system:masters"),
}


@dataclass(frozen=True)
class Pair:
    """A certificate and its key.

    Attributes:
        certificate: The certificate.
        key: Its private key.
    """

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The key as unencrypted PEM."""
        return _pem(self.key)


def make(folder: folders.Folder, identity: identities.Identity) -> None:
    """Make every key, certificate and kubeconfig of the sandbox, unless they are there.

    Args:
        folder: The sandbox's folder.
        identity: Its names; the inner address goes into the API server's certificate.
    """
    complete = folder.pki / "complete"
    if complete.exists():
        return
    authority = _authority()
    _write(folder.pki, "ca", authority)
    names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    names += ["kubernetes.default.svc.cluster.local", identity.host]
    addresses = ["127.0.0.1", SERVICE_ADDRESS, identity.inner]
    _write(folder.pki, "apiserver", _issue(authority, "kube-apiserver", "", [*names, *addresses]))
    node = [identity.host, identity.inner, "127.0.0.1"]
    # By this name and this group the Node authorizer knows a kubelet and what it may read.
    kubelet = _issue(authority, f"system:node:{identity.host}", "system:nodes", node)
    _write(folder.pki, "kubelet", kubelet)
    server = f"https://{identity.inner}:6443"
    issued = {"kubelet": kubelet}
    for component, (name, group) in _CLIENTS.items():
        issued[component] = _issue(authority, name, group, [])
        _write(folder.pki, component, issued[component])
    for component, pair in issued.items():
        namespace = "argocd" if component == "argocd" else "default"
        config = _kubeconfig(f"hanbae-{folder.name}", server, authority, pair, namespace)
        folders.write(folder.pki / f"{component}.kubeconfig", config)
        if component == "admin":
            folders.write(folder.kubeconfig, config)
    signing = ec.generate_private_key(ec.SECP256R1())
    folders.write(folder.pki / "service-accounts.key", _pem(signing))
    folders.write(complete, b"")  # last, so that an interrupted run is done again as a whole


def sealing(folder: folders.Folder) -> bool:
    """Make the first key of the Sealed Secrets controller, unless it is there.

    The controller would make it itself, but an RSA key of 4096 bits takes it many seconds of the time in which
    everything else starts on the same processors; here it takes one, and nobody waits for it.

    Returns:
        Whether it was made.
    """
    key_file, certificate_file = folder.pki / "sealing.key", folder.pki / "sealing.crt"
    if certificate_file.exists():
        return False
    key = rsa.generate_private_key(public_exponent=65537, key_size=4096)
    name = x509.Name([])
    certificate = _dated(name, name, key).sign(key, hashes.SHA256())
    folders.write(key_file, _pem(key))
    # The certificate is written last: without it an interrupted run makes both again.
    folders.write(certificate_file, certificate.public_bytes(serialization.Encoding.PEM))
    return True


def _authority() -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hanbae-sandbox")])
    usage = x509.KeyUsage(
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
    builder = (
        _dated(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Pair(builder.sign(key, hashes.SHA256()), key)


def _issue(authority: Pair, name: str, group: str, hosts: Sequence[str]) -> Pair:
    """A certificate for a client, and for a server too if it has hosts."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if group:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
    if hosts:
        usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
    builder = (
        _dated(x509.Name(attributes), authority.certificate.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        # Python refuses a certificate without it from 3.13 on.
        .add_extension(issuer, critical=False)
    )
    if hosts:
        names = x509.SubjectAlternativeName([_general(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    return Pair(builder.sign(authority.key, hashes.SHA256()), key)


def _dated(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # An hour of grace: a virtual machine's clock may be set back when it is synchronised.
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=365 * _YEARS))
    )


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        # "EC PRIVATE KEY", "RSA PRIVATE KEY": Kubernetes and Sealed Secrets read some keys in no other form
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _write(pki: Path, name: str, pair: Pair) -> None:
    folders.write(pki / f"{name}.crt", pair.certificate_pem)
    folders.write(pki / f"{name}.key", pair.key_pem)


def _kubeconfig(context: str, server: str, authority: Pair, user: Pair, namespace: str) -> str:
    """A kubeconfig that stands alone: keys are in it, so it can be copied; JSON is YAML too."""

    def encoded(data: bytes) -> str:
        return base64.b64encode(data).decode()

    cluster = {"server": server, "certificate-authority-data": encoded(authority.certificate_pem)}
    credentials = {
        "client-certificate-data": encoded(user.certificate_pem),
        "client-key-data": encoded(user.key_pem),
    }
    config: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context, "cluster": cluster}],
        "users": [{"name": context, "user": credentials}],
        "contexts": [
            {
                "name": context,
                "context": {"cluster": context, "user": context, "namespace": namespace},
            }
        ],
        "current-context": context,
    }
    return json.dumps(config, indent=2)
