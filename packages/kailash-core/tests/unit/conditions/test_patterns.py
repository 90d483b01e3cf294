from __future__ import annotations

import re
import sys
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kailash.conditions import automaton, grammar, patterns

ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "[a-c]", "\\d", "\\w", "\\W", "\\.", "-", "é", "^", "$", "\n"])
QUANTIFIERS = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,}", "{0,2}", "*?"])


def _sequences(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(parts, max_size=4).map("".join)


def _quantified(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    single = st.tuples(parts, QUANTIFIERS).map(lambda pair: pair[0] if pair[0] in ("^", "$") else "".join(pair))
    return _sequences(single)


def _grouped(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    choice = st.lists(parts, min_size=1, max_size=3).map("|".join)
    return st.one_of(parts, choice.map(lambda inner: f"({inner})"), choice.map(lambda inner: f"(?:{inner})"))


REGEXES = st.one_of(
    _quantified(ATOMS),
    _quantified(_grouped(_sequences(ATOMS)).filter(lambda part: part not in ("", "()", "(?:)"))),
    st.lists(_quantified(ATOMS), min_size=1, max_size=3).map("|".join),
)
TEXTS = st.text(st.sampled_from("abcé.-1_ \n"), max_size=8)


def _of_python(pattern: str, text: str) -> bool:
    """What Python says, where ``$`` is the very end."""
    ends = re.sub(r"(?<!\\)\$", r"\\Z", pattern)
    return re.search(ends, text, re.DOTALL | re.ASCII) is not None


@given(REGEXES, TEXTS)
@example("a?b", "ab")
@example("(?:^|b)a", "ba")
@example("^$", "")
def test_a_regular_expression_means_what_python_means(pattern: str, text: str) -> None:
    try:
        canonical = patterns.canonical(pattern)
    except patterns.PatternError:
        return

    expected = _of_python(pattern, text)

    assert patterns.search(canonical, text) is expected
    assert automaton.Automaton(grammar.read(pattern)).search(text) is expected


@given(REGEXES)
def test_a_canonical_pattern_is_its_own_canonical_form(pattern: str) -> None:
    try:
        canonical = patterns.canonical(pattern)
    except patterns.PatternError:
        return

    assert patterns.canonical(canonical) == canonical


@pytest.mark.parametrize(
    "pattern",
    ["(a)\\1", "(?=a)", "(?!a)", "(?<=a)b", "(?P<n>a)", "(?i)a",
     "(a+)+", "(a*)*", "(a|b*)+", "(ab?){2}", "a**", "a{2}{3}",
     "a++", "*a", "(", ")", "a)", "[", "[]", "[a", "[z-a]", "[[:alpha:]]",
     "[\\d-z]\\q", "\\b", "\\x41", "\\", "a{", "a{,3}",
     "a{3,2}", "a{256}", "a{999}", "^*", "[^\\d\\D]", "(" * 30 + ")" * 30, "a" * 8_001, "((((a{255})b){9})c){9}"],
)  # fmt: skip
def test_what_has_no_common_meaning_is_refused(pattern: str) -> None:
    with pytest.raises(patterns.PatternError):
        patterns.canonical(pattern)


def test_a_pattern_that_repeats_too_much_is_refused() -> None:
    with pytest.raises(patterns.PatternError, match="too large"):
        patterns.check("(?:abcdefghijklmnopqrstuvwxyz){255}")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("^a$", "\\Aa\\Z"),
        ("(a|b)c", "(?:a|b)c"),
        ("[\\w\\W]", "."),
        ("[\\D]", "[^0-9]"),
        ("[]a]", "[\\]a]"),
        ("[a\\-z^]", "[\\-\\^az]"),
        ("a{1,1}b{0,}c{1,}d{0,1}", "a{1}b*c+d?"),
        ("a+?", "a+"),
        ("}]", "\\}\\]"),
    ],
)
def test_a_pattern_is_written_in_one_way(pattern: str, expected: str) -> None:
    assert patterns.canonical(pattern) == expected


@pytest.mark.parametrize("pattern", [".*" * 20 + "x", "a*" * 30 + "b", "(?:a|a)" * 40 + "b", "a{0,100}a{0,100}b"])
def test_no_pattern_makes_a_search_explode(pattern: str) -> None:
    canonical = patterns.canonical(pattern)
    begun = time.process_time()

    found = patterns.search(canonical, "a" * 20_000)

    assert found is False
    assert time.process_time() - begun < 5  # seconds; the automaton takes some hundredths


def test_an_automaton_forgets_rather_than_grow() -> None:
    found = automaton.Automaton(grammar.read("(?:a|bc)+d"), most=3)

    assert [found.search(text) for text in ("abcabcad", "xyzabcx", "bcbcd", "bd")] == [True, False, True, False]


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_folded_pattern_finds_what_folding_finds(text: str, part: str) -> None:
    text, part = text.replace("\0", ""), part.replace("\0", "")

    assert patterns.search(patterns.folded(part), text + part.swapcase()) is (
        patterns.fold(part) in patterns.fold(text + part.swapcase())
    )


def test_every_character_is_found_by_those_that_fold_to_the_same_one() -> None:
    by_folded: dict[str, set[str]] = {}
    for code in range(1, sys.maxunicode + 1):
        character = chr(code)
        if (lowered := character.lower()) != character and len(lowered) == 1:
            by_folded.setdefault(lowered, {lowered}).add(character)

    found = {folded: set(patterns._variants(folded)) for folded in by_folded}
    alone = [chr(code) for code in range(1, 128) if chr(code) not in by_folded and not chr(code).isupper()]

    assert found == by_folded
    assert [patterns._variants(character) for character in alone] == alone


def test_folding_keeps_the_length_and_looks_at_no_neighbour() -> None:
    assert patterns.fold("ΑΣ İ ẞ Ⱥ") == "ασ İ ß ⱥ"


LIKES = st.text(st.sampled_from("ab%_\\."), max_size=8)


@given(LIKES, TEXTS)
def test_like_means_what_its_regular_expression_means(pattern: str, text: str) -> None:
    try:
        canonical = patterns.like(pattern)
    except patterns.PatternError:
        assert (len(pattern) - len(pattern.rstrip("\\"))) % 2 == 1
        return

    tokens = re.findall(r"\\.|.", pattern, re.DOTALL)
    expected = "".join({"%": ".*", "_": "."}.get(token, re.escape(token[-1])) for token in tokens)

    assert patterns.search(canonical, text) is (re.fullmatch(expected, text, re.DOTALL) is not None)


@given(st.text(max_size=10))
def test_an_escaped_text_is_like_itself_alone(text: str) -> None:
    canonical = patterns.like(patterns.escape_like(text))

    assert patterns.search(canonical, text)
    assert not patterns.search(canonical, text + "x")
