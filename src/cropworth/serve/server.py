"""`serve`: bind, say where, answer until Ctrl-C."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cropworth.data.installed import imported
from cropworth.errors import CropworthError

INSTALL = "pip install 'cropworth[serve]'"
SHORTEST_TOKEN = 16


def serve(folder: Path, host: str, port: int, token: str | None, said: Callable[[str], None]) -> None:
    """Serve the studies of a folder until Ctrl-C.

    Args:
        folder: itself a study, or a folder of studies.
        host: what to bind: a name or a number of this machine.
        port: 0 for any that is free.
        token: that every request must carry; None only where nobody but this machine can ask.
        said: told where the page is, once it answers. The token is not told.

    Raises:
        CropworthError: no such folder, an address that cannot be bound, one that others reach without a token, a token
            that is easily guessed, or Starlette or uvicorn are not installed.
    """
    uvicorn = imported("uvicorn", INSTALL)
    imported("starlette.applications", INSTALL)
    from cropworth.serve.app import make_app
    from cropworth.serve.guard import access

    if not folder.is_dir():
        raise CropworthError(f"{folder}", "a study, or a folder of studies", "Check the path.")
    family, address = _resolved(host, port)
    _check_token(host, address[0], token)
    with _bound(family, address, host) as listening:
        number, bound_port = listening.getsockname()[:2]
        names = (host, socket.gethostname())
        app = make_app(folder, access(number, names, bound_port, token))
        config = uvicorn.Config(
            app, access_log=False, lifespan="off", log_level="warning", proxy_headers=False, server_header=False,
            timeout_graceful_shutdown=1, ws="none",
        )  # fmt: skip
        said(_told(folder, host, number, bound_port, token))
        with suppress(KeyboardInterrupt):  # Ctrl-C is how it ends
            uvicorn.Server(config).run(sockets=[listening])


def _resolved(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """The number behind a name: it is that which others reach or not."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise CropworthError(
            f"--host {host} ({error.strerror})", "a name or number of this machine", "Leave it out for 127.0.0.1."
        ) from None
    return family, (str(address[0]), int(address[1]))


def _check_token(host: str, address: str, token: str | None) -> None:
    if not token and not ipaddress.ip_address(address).is_loopback:
        raise CropworthError(
            f"--host {host} without a token: whoever reaches this machine could read the studies",
            "--token, or the environment variable CROPWORTH_TOKEN",
            "Leave out --host, or make a token: python -c 'import secrets; print(secrets.token_urlsafe())'",
        )
    if token and not (len(token) >= SHORTEST_TOKEN and token.isascii() and token.isprintable() and " " not in token):
        raise CropworthError(
            f"a token of {len(token)} characters",
            f"at least {SHORTEST_TOKEN} letters, digits and signs of ASCII, without spaces",
            "Make one: python -c 'import secrets; print(secrets.token_urlsafe())'",
        )


def _bound(family: socket.AddressFamily, address: tuple[str, int], host: str) -> socket.socket:
    try:
        return socket.create_server(address, family=family)
    except OSError as error:
        raise CropworthError(
            f"--host {host} --port {address[1]} ({os.strerror(error.errno or 0)})",
            "an address of this machine, and a port that is free",
            "Choose another --port, or 0 for any that is free.",
        ) from None


def _told(folder: Path, host: str, number: str, port: int, token: str | None) -> str:
    everywhere = ipaddress.ip_address(number).is_unspecified
    name = socket.gethostname() if everywhere else f"[{host}]" if ":" in host else host
    opened = " Open it once with ?token= and your token after it." if token else ""
    return f"Serving {folder}: http://{name}:{port}/ (Ctrl-C ends it).{opened}"
