"""What every test here ends with."""

from collections.abc import Iterator

import pytest

from support.client import Raw


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Every raw connection ends with its test."""
    yield
    while Raw.made:
        Raw.made.pop().close()
