"""Failures in sentences."""

import pytest

from modelsync.cli.rendering import HOST


@pytest.mark.parametrize(
    ("sentence", "without"),
    [
        ("cannot connect to api.groq.com (refused)", "cannot connect to the provider (refused)"),
        ("no complete answer from 127.0.0.1:8900 within 7.5 s", "no complete answer from the provider within 7.5 s"),
        ("huggingface.co answered 503; try again", "the provider answered 503; try again"),
        ("the list is empty", "the list is empty"),
    ],
)
def test_a_host_is_told_from_a_number(sentence: str, without: str):
    assert HOST.sub("the provider", sentence) == without
