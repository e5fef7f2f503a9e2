"""Pieces of OpenAI-like lists. A provider takes those that it has: a field that no row type declares is kept, and named when it is new."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TypedDict

import msgspec

from modelsync.providers.parsing import WORDS, are_few, in_our_words, sees, stated, stated_true


class Row(msgspec.Struct, frozen=True):
    """What nearly every row begins with. `created` is a Unix time in seconds, at some providers not of the model."""

    id: str
    name: str | None = None
    description: str | None = None
    created: float | None = None


class Architecture(msgspec.Struct, frozen=True):
    """What OpenRouter's lists had first: `modality` is `text+image->text`."""

    modality: str | None = None
    tokenizer: str | None = None
    instruct_type: str | None = None


class Modalities(msgspec.Struct, frozen=True):
    """What they have now."""

    input_modalities: tuple[str, ...] | None = None
    output_modalities: tuple[str, ...] | None = None


class InAndOut(TypedDict):
    """What goes in and out, as fields of a model."""

    input_modalities: tuple[str, ...] | None
    output_modalities: tuple[str, ...] | None
    supports_vision: bool | None


def modalities(inputs: Iterable[str] | None, outputs: Iterable[str] | None, own: Mapping[str, str] = WORDS) -> InAndOut:
    """Two lists of modalities; `own` are the provider's words, as `in_our_words` takes them."""
    given, called = (tuple(inputs or ()), tuple(outputs or ())), tuple(own.items())
    return _in_and_out(*given, called).copy() if are_few(*given) else _in_and_out.__wrapped__(*given, called)


@lru_cache(maxsize=1024)  # a list has few different rows of modalities
def _in_and_out(inputs: tuple[str, ...], outputs: tuple[str, ...], own: tuple[tuple[str, str], ...]) -> InAndOut:
    known = in_our_words(inputs, dict(own))
    return {"input_modalities": known, "output_modalities": in_our_words(outputs, dict(own)), "supports_vision": sees(known)}


class Abilities(TypedDict):
    """What a model can do, as fields of a model."""

    supports_function_calling: bool | None
    supports_reasoning: bool | None
    supports_structured_output: bool | None


class AbilityWords(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """What a list of abilities calls each of them. `complete`: an ability that the list leaves out is one that the model has not."""

    function_calling: tuple[str, ...] = ("tools",)
    reasoning: tuple[str, ...] = ("reasoning",)
    structured_output: tuple[str, ...] = ("structured_outputs",)
    complete: bool = False

    def stated_by(self, names: Iterable[str] | None) -> Abilities:
        """What a list of abilities says."""
        listed = tuple(names or ())
        return _abilities(self, listed).copy() if are_few(listed) else _abilities.__wrapped__(self, listed)


@lru_cache(maxsize=1024)  # a list has few different rows of abilities
def _abilities(words: AbilityWords, listed: tuple[str, ...]) -> Abilities:
    say = stated if words.complete else stated_true
    return {
        "supports_function_calling": say(listed, *words.function_calling),
        "supports_reasoning": say(listed, *words.reasoning),
        "supports_structured_output": say(listed, *words.structured_output),
    }


FEATURES = AbilityWords(complete=True)
"""`supported_features` as OpenRouter asks hosts to list them."""

PARAMETERS = AbilityWords(function_calling=("tools", "tool_choice"), reasoning=("reasoning", "include_reasoning"), complete=True)
"""`supported_parameters` as OpenRouter lists them."""
