"""Sentences on a terminal: no word is split, and what follows stands under where the sentence began."""

import io

import pytest
from rich.console import Console
from rich.text import Text

from modelsync import cli
from modelsync.cli import output


def said(text: str | Text, width: int = 30, *, terminal: bool = True) -> list[str]:
    written = io.StringIO()
    output.say(Console(file=written, width=width, force_terminal=terminal, color_system=None, highlight=False, markup=False), text)
    return written.getvalue().splitlines()


@pytest.mark.parametrize(
    ("sentence", "lines"),
    [
        ("The catalog is as it was before this.", ["The catalog is as it was", "before this."]),
        ("  1  helicone  price: moss-nemo has moved", ["  1  helicone  price:", "     moss-nemo has moved"]),
        ("  aimo: 3 models (completion 3, prompt 3)", ["  aimo: 3 models (completion", "  3, prompt 3)"]),
        ("✗ groq: rejected the key (401): check it", ["✗ groq: rejected the key", "  (401): check it"]),
        ("127 models: 122 active, 5 not active", ["127 models: 122 active, 5 not", "active"]),
        ("\nOne of them.", ["", "One of them."]),
        ("", [""]),
    ],
)
def test_a_sentence_wraps_under_where_it_began(sentence: str, lines: list[str]):
    assert [line.rstrip() for line in said(sentence)] == lines
    assert [line.rstrip() for line in said(Text(sentence, style="bold"))] == lines


def test_a_sentence_is_left_whole_for_a_pipe():
    sentence = "  1  helicone  price: moss-nemo has moved by a factor of ten"
    assert said(sentence, terminal=False) == [sentence]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("synk", 'Unknown command "synk". Did you mean "sync"? See `modelsync --help`'),
        ("models --max-price cheap", 'Invalid value for --max-price: "cheap" is no number. See `modelsync models --help`'),
        ("runs three", 'Invalid value for RUN: "three" is no whole number. See `modelsync runs --help`'),
        ("pin groq m pricing_prompt=1", "`modelsync pin` needs --reason. See `modelsync pin --help`"),
        ("pin groq m pricing_promt=1 --reason x", "pricing_promt=1 is no FIELD=VALUE. Did you mean pricing_prompt?"),
        (
            "pin groq m context_length=1 context_length=2 --reason x",
            "context_length is given twice. Nothing was changed; give each field one value",
        ),
        (
            f"demo --keep {__file__}",
            f"{__file__} exists already. Nothing was done: simulated prices do not belong in a catalog. Name a new file",
        ),
        ("changes --field pricing_promt", "There is no field 'pricing_promt' in changes. Did you mean pricing_prompt?"),
    ],
)
def test_a_mistake_is_told_in_words_with_what_to_do(capsys: pytest.CaptureFixture[str], line: str, words: str):
    assert cli.run(line.split()) == 64
    assert capsys.readouterr() == ("", f"modelsync: {words}\n")
