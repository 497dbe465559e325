"""Who may read: the `Host` that a request names, the token that it carries, and what its answer lets a browser do."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# What the browser may load and do. The report's page says so of itself, for its scripts and styles stand in it.
OWN_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
ANY_POLICY = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:/?#@\\\s]+)(:\d+)?")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
NEEDED = "This page needs its token: open its address once with ?token=TOKEN after it, or send Authorization: Bearer."


@dataclass(frozen=True)
class Access:
    """What the server was bound to, and the token.

    Attributes:
        names: that a request's `Host` may have, beside any port: who rebinds a name of his own to our address
            does not send one of them.
        any_address: whether it may be any number of an address, as where all of the machine's are bound.
        token: that every request needs; None where none does.
        cookie: the name of the cookie that stands for the token; all ports of a host share its cookies.
    """

    names: frozenset[str]
    any_address: bool
    token: str | None
    cookie: str

    def knows(self, host: str) -> bool:
        """Whether a request's `Host` is ours."""
        found = HOST.fullmatch(host.lower())
        if found is None:
            return False
        name = found[1].strip("[]")
        return name in self.names or (self.any_address and _is_address(name))

    def ticket(self) -> str:
        """The cookie's value, from which the token cannot be told."""
        return hashlib.sha256(f"cropworth serve {self.token}".encode()).hexdigest()

    def admits(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> bool:
        """Whether a request carries the token, or the cookie that stands for it."""
        if self.token is None:
            return True
        scheme, _, said = headers.get("authorization", "").partition(" ")
        bearer = scheme.lower() == "bearer" and _same(said.strip(), self.token)
        return bearer or _same(cookies.get(self.cookie, ""), self.ticket())


def access(address: str, names: Iterable[str], port: int, token: str | None) -> Access:
    """What may be asked of a server.

    Args:
        address: the number that it is bound to.
        names: what else it is called.
        port: it is bound to.
        token: that every request needs.
    """
    number = ipaddress.ip_address(address)
    known = {address, *names, *(LOOPBACK if number.is_loopback or number.is_unspecified else ())}
    return Access(frozenset(name.lower() for name in known), number.is_unspecified, token, f"cropworth-{port}")


class Guard:
    """Lets through only what may be read, and puts `HEADERS` on every answer.

    Args:
        app: what answers.
        access: who may ask.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        assert scope["type"] == "http"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Content-Security-Policy", OWN_POLICY + ANY_POLICY)
            await send(message)

        refused = self._refused(Request(scope))
        await (refused or self.app)(scope, receive, send_with_headers)

    def _refused(self, request: Request) -> Response | None:
        if not self.access.knows(request.headers.get("host", "")):
            return PlainTextResponse("This server does not go by the name that was asked for.", 421)
        if self.access.token is None:
            return None
        if "token" in request.query_params:
            return self._with_cookie(request) or _unauthorised()
        return None if self.access.admits(request.headers, request.cookies) else _unauthorised()

    def _with_cookie(self, request: Request) -> Response | None:
        """The same page without the token in its address; None where it is the wrong one."""
        if not _same(request.query_params["token"], self.access.token or ""):
            return None
        others = [(key, value) for key, value in request.query_params.multi_items() if key != "token"]
        # One slash: an address that begins with two, or with a backslash, leads to another server.
        path = "/" + quote(request.scope["path"].lstrip("/\\"))
        answer = RedirectResponse(path + ("?" + urlencode(others) if others else ""), 303)
        answer.set_cookie(self.access.cookie, self.access.ticket(), httponly=True, samesite="strict")
        return answer


def _unauthorised() -> Response:
    return PlainTextResponse(NEEDED, 401, {"WWW-Authenticate": "Bearer"})


def _same(one: str, other: str) -> bool:
    """Whether two texts are the same, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
