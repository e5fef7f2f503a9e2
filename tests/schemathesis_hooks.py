"""What schemathesis tries that is not wrong any more once it is written into an address."""

from typing import Any

import schemathesis


@schemathesis.hook
def filter_case(_: Any, case: Any) -> bool:
    """Leave out cases whose only mistakes are several ones in a query.

    `false`, `[false]` and `"false"` are the same text in an address, and an empty list is no text at all. The tool knows that of each
    parameter by itself, and not of two that it changed in different ways: `/changes?provider=false&model=false` was a boolean and a list,
    and is two texts; of `/admin/held?provider=null` the `kind`, which was wrong, is not there any more.
    """
    mutations = getattr(case.meta.phase.data if case.meta else None, "mutations", None) or ()
    in_query = [each for each in mutations if each.parameter_location.name == "QUERY"]
    return len(in_query) < 2 or len(in_query) < len(mutations)
