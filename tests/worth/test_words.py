import pytest

from cropworth.worth.words import humanised, money, number


@pytest.mark.parametrize(
    ("value", "digits", "words"),
    [
        (0, 3, "0"),
        (1234567, 3, "1,234,567"),
        (12.345, 3, "12.3"),
        (0.012345, 3, "0.0123"),
        (-7.5, 2, "\N{MINUS SIGN}7.5"),
        (None, 3, "—"),
    ],
)
def test_numbers(value: float | None, digits: int, words: str) -> None:
    assert number(value, digits) == words


@pytest.mark.parametrize(
    ("amount", "words"),
    [(1_234_567, "EUR 1.23 million"), (-2.5e9, "EUR \N{MINUS SIGN}2.50 billion"), (950, "EUR 950"), (None, "—")],
)
def test_money(amount: float | None, words: str) -> None:
    assert money(amount, "EUR") == words
    assert humanised(amount) == words.removeprefix("EUR ")
