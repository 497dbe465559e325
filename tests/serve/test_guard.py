"""Who may read, and what answers let a browser do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cropworth.serve.guard import access
from serve.conftest import TOKEN, asked, key

OTHER = "a-token-of-the-tests-0123456780"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8765", "localhost:9000", "LOCALHOST", "[::1]:8765"])
def test_a_host_that_is_ours(tmp_path: Path, host: str) -> None:
    assert asked(tmp_path, "/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "", "evil.example", "evil.example:8765", "127.0.0.1.evil.example", "localhost.", "localhost@evil.example",
        "evil.example#localhost", "localhost/evil", "192.168.0.7", "[::2]", "localhost:80:80", "local host",
    ],
)  # fmt: skip
def test_a_host_that_is_not(studies: Path, host: str) -> None:
    answer = asked(studies, "/", headers={"Host": host})
    assert answer.status_code == 421
    assert "tiny" not in answer.text


def test_all_addresses_of_a_machine_are_ours_where_all_are_bound() -> None:
    bound = access("0.0.0.0", ["0.0.0.0", "Box"], 8765, TOKEN)
    assert all(map(bound.knows, ("192.168.0.7:8765", "[fe80::1]", "box:8765", "localhost")))
    assert not any(map(bound.knows, ("evil.example", "box.evil.example", "1.2.3")))


@pytest.mark.parametrize("path", ["/", "/style.css", "/live.js", "/studies/x", "/nothing"])
def test_with_a_token_every_request_needs_it(studies: Path, path: str) -> None:
    answer = asked(studies, path, token=TOKEN)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "tiny" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {OTHER}"}, {"Authorization": TOKEN}, {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer"}, {"Authorization": b"Bearer \xff\xfe"}, {"Cookie": f"cropworth-8765={TOKEN}"},
        {"Cookie": "cropworth-8765="},
    ],
)  # fmt: skip
def test_wrong_tokens(studies: Path, headers: dict[str, str]) -> None:
    assert asked(studies, "/", token=TOKEN, headers=headers).status_code == 401


def test_a_token_in_the_header(studies: Path) -> None:
    assert "tiny" in asked(studies, "/", token=TOKEN, headers={"Authorization": f"Bearer {TOKEN}"}).text


def test_a_token_in_the_address_is_given_once(studies: Path) -> None:
    at = f"/studies/{key(studies)}"
    answer = asked(studies, f"{at}?a=1&token={TOKEN}", token=TOKEN)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{at}?a=1")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert TOKEN not in cookie
    page = asked(studies, at, token=TOKEN, headers={"Cookie": cookie.partition(";")[0]})
    assert page.status_code == 200
    assert TOKEN not in page.text
    assert asked(studies, f"{at}?token={OTHER}", token=TOKEN).status_code == 401
    # The cookie of a server with another token.
    assert asked(studies, at, token=OTHER, headers={"Cookie": cookie.partition(";")[0]}).status_code == 401


def test_a_wrong_token_is_wrong_even_with_the_right_cookie(studies: Path) -> None:
    cookie = asked(studies, f"/?token={TOKEN}", token=TOKEN).headers["set-cookie"].partition(";")[0]
    assert asked(studies, f"/?token={OTHER}", token=TOKEN, headers={"Cookie": cookie}).status_code == 401


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example", "/%5Cevil.example", "//%2Fevil.example"])
def test_the_way_back_leads_nowhere_else(tmp_path: Path, path: str) -> None:
    url = f"http://127.0.0.1:8765{path}?token={TOKEN}"
    location = asked(tmp_path, url, token=TOKEN).headers["location"]
    assert location.startswith("/evil.example")


@given(st.text(max_size=40))
def test_only_the_token_is_the_token(said: str) -> None:
    bound = access("127.0.0.1", [], 8765, TOKEN)
    assert bound.admits({"authorization": f"Bearer {said}"}, {}) == (said.strip() == TOKEN)
    assert not bound.admits({}, {"cropworth-8765": said})


@pytest.mark.parametrize("path", ["/", "/style.css", "/nothing", "/studies/x/report"])
def test_headers(studies: Path, path: str) -> None:
    headers = asked(studies, path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_it_is_only_read(studies: Path, method: str) -> None:
    assert asked(studies, "/", method=method).status_code == 405


@pytest.mark.parametrize(
    "tried",
    [
        "../secret", "..%2fsecret", "%2e%2e%2fsecret", "..%5csecret", "/etc/passwd", "%2fetc%2fpasswd", "july/tiny",
        "july%2ftiny", "x%00",
    ],
)  # fmt: skip
def test_no_address_is_a_path(studies: Path, tried: str) -> None:
    (studies.parent / "secret").mkdir()
    (studies.parent / "secret" / "study.json").write_text("{}")
    study = key(studies)
    addresses = [f"/studies/{tried}", f"/studies/{study}/pictures/{tried}/whole/0", f"/studies/{study}/{tried}"]
    trial = next((studies / "july" / "tiny" / "trials").iterdir()).name
    addresses += [f"/studies/{study}/pictures/{trial}/{tried}/0", f"/{tried}", f"/style.css/{tried}"]
    for address in addresses:
        assert asked(studies, address).status_code == 404, address


@pytest.mark.parametrize("index", ["99", "-1", "0x1", "99999999999999999999", "1.0", "٣"])
def test_no_picture_of_that_number(studies: Path, index: str) -> None:
    trial = next(
        path.name
        for path in (studies / "july" / "tiny" / "trials").iterdir()
        if '"crop"' in (path / "record.json").read_text()
    )
    assert asked(studies, f"/studies/{key(studies)}/pictures/{trial}/whole/0").status_code == 200
    assert asked(studies, f"/studies/{key(studies)}/pictures/{trial}/whole/{index}").status_code == 404
