"""The page over a folder, asked without a network, and by a real server."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import httpx
import pytest

from cropworth.serve.app import make_app
from cropworth.serve.guard import access

Get = Callable[..., httpx.Response]
TOKEN = "a-token-of-the-tests-0123456789"


def asked(
    root: Path,
    path: str,
    *,
    token: str | None = None,
    method: str = "GET",
    host: str = "127.0.0.1:8765",
    **options: object,
) -> httpx.Response:
    """What the page over `root` answers; the application is new each time."""
    app = make_app(root, access("127.0.0.1", ["127.0.0.1"], 8765, token))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            return await client.request(method, path, **options)  # type: ignore[arg-type]

    return anyio.run(ask)


@pytest.fixture
def studies(finished_once: Path, tmp_path: Path) -> Path:
    """A folder with the finished tiny study in `july/tiny`."""
    shutil.copytree(finished_once / "study", tmp_path / "studies" / "july" / "tiny")
    return tmp_path / "studies"


def key(root: Path) -> str:
    """Of the only study that a folder has."""
    (found,) = set(re.findall(r'href="/studies/(\w+)"', asked(root, "/").text))
    return found


@contextmanager
def served(folder: Path, *options: str, token: str | None = None) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`cropworth serve` in a process of its own -> its address, and the process."""
    command = [sys.executable, "-c", "from cropworth.cli import main; main()", "serve", str(folder), "--port", "0"]
    environment = os.environ | ({} if token is None else {"CROPWORTH_TOKEN": token})
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        try:
            found = re.search(r"http://\S+/", said)
            assert found is not None, said + process.stdout.read()
            yield found[0], process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
