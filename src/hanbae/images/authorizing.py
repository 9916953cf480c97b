"""How a registry wants to be asked: Basic, or a token that some other server hands out.

The challenge comes from the registry and names that other server, so the credentials are sent there only where it is
the registry's own host, a domain above it (``registry.gitlab.com`` and ``gitlab.com``), Docker Hub's, or one that the
user has named in the environment variable `VARIABLE`; never without TLS.
Rules: distribution's ``spec/auth/token.md`` and ``spec/auth/oauth.md``; RFC 9110 for the header.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import httpx2

from hanbae import errors, foreign_json, patterns
from hanbae.images import credentials
from hanbae.streams import addresses, exchanges

LARGEST_ANSWER: Final = 1024 * 1024
VARIABLE: Final = "HANBAE_TOKEN_SERVERS"
"""The user's word for registries whose logins another host answers: ``registry.example.com=login.example.com,…``."""
_PAIRS: Final = {("registry-1.docker.io", "auth.docker.io")}
_ADDRESS: Final = patterns.lazy(r"[0-9.]+|.*:.*")
_LONGEST_HEADER: Final = 4096
_SCHEME: Final = patterns.lazy(r"\s*(Basic|Bearer)\b", re.IGNORECASE)
_PARAMETER: Final = patterns.lazy(r'([A-Za-z_]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_CLIENT: Final = "hanbae"


@dataclass(frozen=True)
class Challenge:
    """What a 401 asks for.

    Attributes:
        scheme: ``basic`` or ``bearer``.
        realm: Where tokens come from.
        service: What the token server calls the registry.
    """

    scheme: str
    realm: str = ""
    service: str = ""


def challenge(headers: httpx2.Headers) -> Challenge | None:
    """The first challenge of an answer that we can meet; None if there is none."""
    challenges = []
    for header in headers.get_list("www-authenticate"):
        header = header[:_LONGEST_HEADER]  # noqa: PLW2901  the patterns below take quadratic time
        scheme = _SCHEME.match(header)
        if scheme is None:
            continue
        parameters = {
            name.lower(): re.sub(r"\\(.)", r"\1", quoted) or bare
            for name, quoted, bare in _PARAMETER.findall(header)
        }
        realm, service = parameters.get("realm", ""), parameters.get("service", "")
        challenges.append(Challenge(scheme[1].lower(), realm, service))
    # A token tells the registry less than the password does.
    return next(
        (c for c in challenges if c.scheme == "bearer"), challenges[0] if challenges else None
    )


async def token(
    client: httpx2.AsyncClient,
    challenge: Challenge,
    scope: str,
    origin: httpx2.URL,
    login: credentials.Credentials | None,
) -> str:
    """A token for a scope.

    Args:
        client: The HTTP client.
        challenge: The challenge.
        scope: Such as ``repository:shop/auth:pull``.
        origin: The registry that sent the challenge.
        login: Credentials of that registry, if there are any.

    Raises:
        errors.Refused: The challenge names a server to which the credentials must not go.
        errors.Forbidden: The server hands out no token.
        errors.Unreachable: Its answer is larger than any token's.
    """
    realm = _realm(challenge, origin)
    host = origin.netloc.decode()
    if login is not None and not _trusted(realm, origin):
        raise errors.Refused(
            "registry.realm-elsewhere",
            host=host,
            realm=realm.host,
            variable=VARIABLE,
            pair=f"{origin.host}={realm.host}",
        )
    if login is not None and login.is_token:
        form = {
            "grant_type": "refresh_token",
            "service": challenge.service,
            "scope": scope,
            "client_id": _CLIENT,
            "refresh_token": login.secret.unmask().decode("utf-8", "replace"),
        }
        request = client.build_request("POST", realm, data=form)
    else:
        headers = {"authorization": login.basic()} if login is not None else {}
        query = {"service": challenge.service, "scope": scope}
        request = client.build_request("GET", realm.copy_merge_params(query), headers=headers)
    try:
        answer = await exchanges.whole(client, request, most=LARGEST_ANSWER)
    except exchanges.TooLarge:
        limit = str(LARGEST_ANSWER // 1024)
        raise errors.Unreachable("registry.too-large", host=realm.host, limit=limit) from None
    text = _token(answer)
    if not text:
        raise errors.Forbidden(
            "registry.no-token", host=host, realm=realm.host, status=str(answer.status_code)
        )
    return text


def _realm(challenge: Challenge, origin: httpx2.URL) -> httpx2.URL:
    try:
        realm = addresses.parsed(challenge.realm)
    except httpx2.InvalidURL as error:
        raise errors.Refused("registry.bad-realm", host=origin.host) from error
    same = (realm.scheme, realm.netloc) == (origin.scheme, origin.netloc)
    if not realm.host or (realm.scheme != "https" and not same):
        raise errors.Refused("registry.bad-realm", host=origin.host)
    return realm


def _trusted(realm: httpx2.URL, origin: httpx2.URL) -> bool:
    """Whether whoever answers at the realm is surely the registry's owner.

    That is the registry's own host, or a domain above it: its owner hands out the names below. Two hosts beside each
    other prove nothing: all companies of Korea are below ``co.kr``, all customers of a cloud below one of its domains.
    """
    if (realm.scheme, realm.netloc) == (origin.scheme, origin.netloc):
        return True
    if realm.scheme != "https":
        return False
    # The numbers of an address are no domains: 3.4 is not above 1.2.3.4.
    numeric = any(_ADDRESS.fullmatch(host) for host in (realm.host, origin.host))
    above = "." in realm.host and origin.host.endswith(f".{realm.host}") and not numeric
    pairs = {*_PAIRS, *_pairs(os.environ.get(VARIABLE, ""))}
    return realm.host == origin.host or above or (origin.host, realm.host) in pairs


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for pair in text.split(","):
        registry, _, server = pair.strip().lower().partition("=")
        yield registry, server


def _token(answer: httpx2.Response) -> str:
    if not answer.is_success:
        return ""
    document = foreign_json.mapping(answer.content)
    text = document.get("token") or document.get("access_token")
    # It becomes the value of a header, which a line break in it would end.
    return text if isinstance(text, str) and text.isascii() and text.isprintable() else ""
