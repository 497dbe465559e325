import pickle
from pathlib import Path

import pytest

from cropworth.config import Config, parse, parse_scalar, read_yaml
from cropworth.errors import CropworthError, ManyError


class Inner(Config):
    price: float = 0.0


class Outer(Config):
    inner: Inner = Inner()
    count: int = 1


def test_numbers_are_read_as_their_writer_means_them() -> None:
    assert [parse_scalar(text) for text in ("5e6", "-1E-3", "3", "0.5", "word", "[1, 2]")] == [
        5e6, -1e-3, 3, 0.5, "word", [1, 2],
    ]  # fmt: skip


def test_an_unknown_key_names_its_path_and_the_nearest_right_one() -> None:
    with pytest.raises(CropworthError, match=r"unknown key plan\.inner\.prise.*Did you mean 'price'\?"):
        parse(Outer, {"inner": {"prise": 1}}, "plan")


def test_all_problems_are_said_at_once() -> None:
    with pytest.raises(ManyError) as caught:
        parse(Outer, {"inner": {"price": "dear"}, "count": 1.5})
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert "inner.price = 'dear'" in lines[0]
    assert "count = 1.5" in lines[1]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_infinities_are_refused(value: float) -> None:
    with pytest.raises(CropworthError, match="finite"):
        parse(Inner, {"price": value})


def test_errors_survive_the_way_back_from_a_worker() -> None:
    one = CropworthError("this", "that", "Do it.")
    many = ManyError([one, CropworthError("a", "b", "c")])
    for error in (one, many):
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is type(error)
        assert str(copy) == str(error)
        assert (copy.got, copy.expected, copy.do) == (error.got, error.expected, error.do)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"- a\n- b\n", "holding list"),
        (b"a: [1\n", "valid YAML"),
        (b"\xff\xfe\xfa", "not UTF-8"),
        (b"", "holding NoneType"),
    ],
)
def test_a_file_that_is_no_mapping(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_bytes(content)
    with pytest.raises(CropworthError, match=message):
        read_yaml(path)


def test_days_are_text_as_in_json(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("day: 2026-01-31\nshare: 5e6\nyes: true\n")
    assert read_yaml(path) == {"day": "2026-01-31", "share": 5e6, True: True}
    assert parse_scalar("2026-01-31") == "2026-01-31"


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CropworthError, match=r"missing\.yaml \(No such file"):
        read_yaml(tmp_path / "missing.yaml")
