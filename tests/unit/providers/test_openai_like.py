"""The pieces of OpenAI-like lists: what a list of abilities says by what it leaves out, and under which words."""

import pytest

from modelsync.providers.openai_like import FEATURES, PARAMETERS, AbilityWords, modalities


def said(words, names):
    return tuple(words.stated_by(names).values())


@pytest.mark.parametrize(
    ("words", "names", "expected"),
    [  # function calling, reasoning, structured output
        (FEATURES, None, (None, None, None)),
        (FEATURES, (), (None, None, None)),
        (FEATURES, ("json_mode",), (False, False, False)),
        (FEATURES, ("Tools ", "reasoning"), (True, True, False)),
        (FEATURES, ("tool_choice", "include_reasoning", "structured_outputs"), (False, False, True)),
        (PARAMETERS, ("tool_choice", "include_reasoning"), (True, True, False)),
        (PARAMETERS, ("tools", "reasoning", "structured_outputs"), (True, True, True)),
        (AbilityWords(), ("tools",), (True, None, None)),
        (AbilityWords(), ("json_mode",), (None, None, None)),
        (
            AbilityWords(function_calling=("call",), reasoning=("think",), structured_output=("shape",)),
            ("tools", "think"),
            (None, True, None),
        ),
        (AbilityWords(function_calling=("call",), structured_output=("shape",)), ("shape", "call"), (True, None, True)),
    ],
)
def test_abilities_that_are_left_out_are_lacking_only_where_the_list_is_complete(words, names, expected):
    assert list(words.stated_by(names)) == ["supports_function_calling", "supports_reasoning", "supports_structured_output"]
    assert said(words, names) == expected


@pytest.mark.parametrize(
    ("inputs", "outputs", "own", "expected"),
    [
        (None, None, {}, (None, None, None)),
        (("image", "text"), ("text",), {}, (("text", "image"), ("text",), True)),
        (("text",), None, {}, (("text",), None, False)),
        (("smell", "text"), ("embedding",), {}, (("text", "smell"), ("embeddings",), None)),
        (("text",), ("speech",), {"speech": "audio"}, (("text",), ("audio",), False)),
    ],
)
def test_modalities_are_in_our_words_and_say_whether_images_go_in(inputs, outputs, own, expected):
    found = modalities(inputs, outputs, own)
    assert (found["input_modalities"], found["output_modalities"], found["supports_vision"]) == expected
