"""What several tests need, a purpose a file. What authors of providers need is in `modelsync.testing`."""

import pytest

pytest.register_assert_rewrite("modelsync.testing")  # before anything imports it
