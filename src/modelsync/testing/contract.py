"""What holds for every provider there is, over its own wire format: `check(TRIAL)` in a provider's test."""

from collections.abc import Callable

from modelsync.simulator.server import Simulator
from modelsync.testing import by_reading, over_http
from modelsync.testing.subject import Subject
from modelsync.testing.trial import Trial

Check = Callable[[Subject], None]
"""It fails with AssertionError; its name says what holds."""

CHECKS: tuple[Check, ...] = (
    over_http.every_address_is_https,
    over_http.every_price_field_has_a_unit_of_its_own_dimension,
    over_http.options_have_defaults_that_are_sound,
    over_http.a_sample_and_a_day_are_there_for_every_list,
    over_http.the_sample_is_read_whole_and_the_same_each_time,
    over_http.prices_lie_inside_the_bounds,
    over_http.every_number_comes_with_its_text,
    over_http.a_row_of_a_new_type_has_no_price_per_token,
    over_http.without_a_key_nothing_is_asked_that_needs_one,
    over_http.a_wrong_key_is_named_by_its_variable_and_never_shown,
    over_http.a_key_is_sent_only_where_it_is_declared,
    over_http.an_empty_list_is_held,
    over_http.an_answer_that_is_no_list_is_never_applied,
    by_reading.every_number_of_things_is_declared_as_a_count,
    by_reading.a_count_is_the_same_number_however_it_is_written,
    by_reading.a_count_that_is_none_costs_its_own_field_only,
    by_reading.an_unknown_modality_is_a_warning_and_in_no_model,
    by_reading.what_documentation_states_is_said_of_chat_models_only,
)

PRICE_CHECKS: tuple[Check, ...] = (
    by_reading.every_amount_of_the_sample_is_read_or_kept,
    by_reading.what_no_call_pays_is_declared_with_its_reason,
    by_reading.a_new_price_beside_the_known_ones_is_told,
)
"""For lists that state each price once: where one of several counts, doubling another rightly changes nothing."""


def check(trial: Trial) -> None:
    """Hold a provider to all of CHECKS, and to PRICE_CHECKS."""
    with Simulator(more=(trial.simulated,)) as simulator:
        for each in (*CHECKS, *PRICE_CHECKS):
            simulator.reset()
            each(Subject(trial, simulator))
