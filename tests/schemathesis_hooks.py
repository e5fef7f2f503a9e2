"""What schemathesis tries that is not wrong any more once it is written into an address."""

from typing import Any

import schemathesis


@schemathesis.hook
def filter_case(_: Any, case: Any) -> bool:
    """Leave out cases that only change types of several parameters of a query.

    `false`, `[false]` and `"false"` are the same text in an address. The tool knows that of each parameter by itself, and not of two that
    it changed in different ways: `/changes?provider=false&model=false` was a boolean and a list, and is two texts.
    """
    mutations = getattr(case.meta.phase.data if case.meta else None, "mutations", None) or ()
    types_of_query = [each for each in mutations if each.operator == "change_type" and each.parameter_location.name == "QUERY"]
    return len(mutations) < 2 or len(types_of_query) < len(mutations)
