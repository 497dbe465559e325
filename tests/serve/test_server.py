"""`cropworth serve` as a user starts and ends it: what it binds, what it says, and what it refuses."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from command import Run
from serve.conftest import TOKEN, served


def refused(ran: tuple[int, str, str], *words: str) -> None:
    status, out, err = ran
    assert (status, out) == (2, "")
    assert err.startswith("Error: got ")
    assert err.count("\n") == 1
    for word in words:
        assert word in err


def raw(address: str, path: str) -> int:
    """The status of a path that is sent as it stands."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


def test_it_answers_and_ends_by_ctrl_c(studies: Path) -> None:
    with served(studies) as (address, process):
        assert address.startswith("http://127.0.0.1:")
        page = httpx.get(address)
        assert "tiny" in page.text
        assert "server" not in page.headers
        for path in (
            "/../../../../etc/passwd",
            "/studies/../../study.json",
            "/studies/..%2f..%2fsecret",
            "//etc/passwd",
        ):
            assert raw(address, path) == 404, path
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stdout is not None
        assert process.stdout.read() == ""


def test_a_token_of_the_environment_is_never_told(studies: Path) -> None:
    with served(studies, "--host", "0.0.0.0", token=TOKEN) as (address, process):
        at = f"http://127.0.0.1:{urlsplit(address).port}/"
        assert httpx.get(at).status_code == 401
        with httpx.Client(follow_redirects=True) as client:
            page = client.get(f"{at}?token={TOKEN}")
            assert page.status_code == 200
            assert TOKEN not in str(page.url)
            assert client.get(at).status_code == 200
        assert raw(at, f"/%zz?token={TOKEN}") in (303, 400)
        process.send_signal(signal.SIGINT)
        process.wait(30)
        assert process.stdout is not None
        assert TOKEN not in process.stdout.read()
        assert TOKEN not in str(process.args)


def test_ipv6(studies: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with served(studies, "--host", "::1") as (address, _):
        assert address.startswith("http://[::1]:")
        assert "tiny" in httpx.get(address).text


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_others_need_a_token(run: Run, studies: Path, host: str) -> None:
    refused(run("serve", studies, "--host", host), "without a token", "CROPWORTH_TOKEN")


def test_an_empty_token_is_none(run: Run, studies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROPWORTH_TOKEN", "")
    refused(run("serve", studies, "--host", "0.0.0.0"), "without a token")


@pytest.mark.parametrize("token", ["hunter2", "a token with spaces in it", "ein-schl\u00fcssel-0123456789"])
def test_a_token_that_is_easily_guessed_or_cannot_be_sent(run: Run, studies: Path, token: str) -> None:
    ran = run("serve", studies, "--token", token)
    refused(ran, f"a token of {len(token)} characters")
    assert token not in ran[2]


def test_a_port_that_is_taken(run: Run, studies: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused(
            run("serve", studies, "--port", port), f"--port {port} (Address already in use)", "Choose another --port"
        )


def test_an_address_that_is_not_of_this_machine(run: Run, studies: Path) -> None:
    refused(run("serve", studies, "--host", "192.0.2.1", "--token", TOKEN), "--host 192.0.2.1")
    for host in ("no.such.host.invalid", ""):
        refused(run("serve", studies, "--host", host), f"--host {host} (")


def test_a_folder_that_is_not_there(run: Run, tmp_path: Path) -> None:
    refused(run("serve", tmp_path / "none"), "none", "a folder of studies")


def test_without_the_extra(run: Run, studies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    refused(run("serve", studies), "no uvicorn", "pip install 'cropworth[serve]'")


def test_no_other_command_loads_the_framework(finished: Path) -> None:
    code = (
        "import sys; sys.argv = ['cropworth', 'appraise', sys.argv[1]]\n"
        "from cropworth.cli import app\n"
        "try: app()\n"
        "except SystemExit: pass\n"
        "print({'starlette', 'uvicorn'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code, str(finished)], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("set()")
