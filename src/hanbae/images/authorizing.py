"""How a registry wants to be asked: Basic, or a token that some other server hands out.

The challenge comes from the registry and names that other server, so the credentials are sent there only where it is
the registry itself, or a host of the same domain over HTTPS (``registry-1.docker.io`` and ``auth.docker.io``).
Rules: distribution's ``spec/auth/token.md`` and ``spec/auth/oauth.md``; RFC 9110 for the header.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

import httpx2

from hanbae import errors
from hanbae.images import credentials

LARGEST_ANSWER: Final = 1024 * 1024
_SCHEME: Final = re.compile(r"\s*(Basic|Bearer)\b", re.IGNORECASE)
_PARAMETER: Final = re.compile(r'([A-Za-z_]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
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
    found = []
    for header in headers.get_list("www-authenticate"):
        scheme = _SCHEME.match(header)
        if scheme is None:
            continue
        parameters = {
            name.lower(): re.sub(r"\\(.)", r"\1", quoted) or bare
            for name, quoted, bare in _PARAMETER.findall(header)
        }
        realm, service = parameters.get("realm", ""), parameters.get("service", "")
        found.append(Challenge(scheme[1].lower(), realm, service))
    # A token tells the registry less than the password does.
    return next((c for c in found if c.scheme == "bearer"), found[0] if found else None)


async def token(
    client: httpx2.AsyncClient,
    asked: Challenge,
    scope: str,
    origin: httpx2.URL,
    known: credentials.Credentials | None,
) -> str:
    """A token for a scope.

    Args:
        client: The HTTP client.
        asked: The challenge.
        scope: Such as ``repository:shop/auth:pull``.
        origin: The registry that sent the challenge.
        known: Credentials of that registry, if there are any.

    Raises:
        errors.Refused: The challenge names a server to which the credentials must not go.
        errors.Forbidden: The server hands out no token.
    """
    realm = _realm(asked, origin)
    host = origin.netloc.decode()
    if known is not None and not _trusted(realm, origin):
        raise errors.Refused("registry.realm-elsewhere", host=host, realm=realm.host)
    if known is not None and known.is_token:
        form = {
            "grant_type": "refresh_token",
            "service": asked.service,
            "scope": scope,
            "client_id": _CLIENT,
            "refresh_token": known.secret.unmask().decode("utf-8", "replace"),
        }
        answer = await client.post(realm, data=form)
    else:
        headers = {"authorization": known.basic()} if known is not None else {}
        query = {"service": asked.service, "scope": scope}
        answer = await client.get(realm.copy_merge_params(query), headers=headers)
    found = _token(answer)
    if not found:
        raise errors.Forbidden(
            "registry.no-token", host=host, realm=realm.host, status=str(answer.status_code)
        )
    return found


def _realm(asked: Challenge, origin: httpx2.URL) -> httpx2.URL:
    try:
        realm = httpx2.URL(asked.realm)
    except httpx2.InvalidURL as error:
        raise errors.Refused("registry.bad-realm", host=origin.host) from error
    same = (realm.scheme, realm.netloc) == (origin.scheme, origin.netloc)
    if not realm.host or (realm.scheme != "https" and not same):
        raise errors.Refused("registry.bad-realm", host=origin.host)
    return realm


def _trusted(realm: httpx2.URL, origin: httpx2.URL) -> bool:
    if (realm.scheme, realm.netloc) == (origin.scheme, origin.netloc):
        return True
    names = realm.host.split("."), origin.host.split(".")
    related = len(names[0]) > 1 and len(names[1]) > 1 and names[0][-2:] == names[1][-2:]
    numeric = any(re.fullmatch(r"[0-9.]+|.*:.*", host) for host in (realm.host, origin.host))
    return realm.scheme == "https" and (realm.host == origin.host or (related and not numeric))


def _token(answer: httpx2.Response) -> str:
    if not answer.is_success or len(answer.content) > LARGEST_ANSWER:
        return ""
    try:
        document: Any = json.loads(answer.content)
    except ValueError:
        return ""
    if not isinstance(document, dict):
        return ""
    found = document.get("token") or document.get("access_token")
    return found if isinstance(found, str) and found.isprintable() else ""
