"""Tokens: short, and nothing but a token is taken for one."""

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.check.token import GRANULARITIES, Schedule, decode, encode
from headway.errors import UsageError

UNITS = st.integers(0, 300)
STEPS = st.integers(0, 100_000)


@given(
    st.sampled_from(GRANULARITIES),
    st.dictionaries(st.tuples(UNITS, STEPS), UNITS, max_size=50),
    st.text("0123456789abcdef", min_size=6, max_size=6),
)
def test_a_token_gives_its_schedule(
    granularity: str, deviations: dict[tuple[int, int], int], fingerprint: str
) -> None:
    schedule = Schedule(granularity, deviations, fingerprint)
    assert decode(encode(schedule)) == schedule


def test_a_schedule_of_two_switches_is_short() -> None:
    assert len(encode(Schedule("access", {(1, 7): 2, (2, 9): 1}, "9f04c1"))) < 30


@given(st.text())
def test_any_text_is_a_token_or_a_clean_error(text: str) -> None:
    with pytest.raises(UsageError):
        decode(text)


@given(st.binary())
def test_any_body_is_a_token_or_a_clean_error(body: bytes) -> None:
    text = base64.urlsafe_b64encode(body).rstrip(b"=").decode()
    with contextlib.suppress(UsageError):
        decode(f"1:9f04c1:{text}")


def test_a_changed_letter_is_noticed() -> None:
    token = encode(Schedule("access", {(1, 7): 2, (2, 9): 1}, "9f04c1"))
    for place in range(len("1:9f04c1:"), len(token)):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with contextlib.suppress(UsageError):
            assert decode(changed) == decode(token)  # the last letter has bits that mean nothing


def test_a_newer_version_is_said_to_be_one() -> None:
    with pytest.raises(UsageError, match="version 9"):
        decode("9:9f04c1:AAAA")
