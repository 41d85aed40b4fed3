"""Stored tokens: what is kept, for how long, and what damaged entries do."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headway.check.stored import MOST_TOKENS, Stored


class Memory:
    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def get(self, key: str, default: Any) -> Any:
        return self.values.get(key, default)

    def set(self, key: str, value: object) -> None:
        self.values[key] = value


def test_the_newest_token_comes_first_and_none_twice() -> None:
    stored = Stored(Memory(), "test_a")
    for token in ("1:a", "1:b", "1:a"):
        stored.add(token)
    assert stored.tokens() == ["1:a", "1:b"]


def test_only_the_newest_are_kept() -> None:
    stored = Stored(Memory(), "test_a")
    for number in range(MOST_TOKENS + 5):
        stored.add(str(number))
    assert stored.tokens() == [str(MOST_TOKENS + 4 - place) for place in range(MOST_TOKENS)]


def test_a_removed_token_is_gone_and_the_others_stay() -> None:
    stored = Stored(Memory(), "test_a")
    stored.add("one")
    stored.add("two")
    stored.remove("two")
    stored.remove("never there")
    assert stored.tokens() == ["one"]


def test_tests_do_not_share_an_entry() -> None:
    memory = Memory()
    Stored(memory, "test_a").add("one")
    assert Stored(memory, "test_b").tokens() == []
    assert Stored(memory, "test_a").tokens() == ["one"]
    assert list(memory.values.values()) == [{"test": "test_a", "tokens": ["one"]}]


def test_without_a_cache_nothing_is_kept() -> None:
    stored = Stored(None, "test_a")
    stored.add("one")
    assert stored.tokens() == []


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("tokens"), inner),
        max_leaves=8,
    )
)
def test_a_damaged_entry_is_as_none_and_can_be_written_anew(junk: object) -> None:
    memory = Memory()
    Stored(memory, "test_a").add("one")
    (key,) = memory.values
    memory.values[key] = junk
    stored = Stored(memory, "test_a")
    assert all(isinstance(token, str) for token in stored.tokens())
    stored.add("two")
    assert stored.tokens()[0] == "two"
