"""A black-box suite: a scripted foreign client and node that know only the job API's documents.

It starts a real hub as a process of its own, on SQLite and on PostgreSQL, and imports nothing of
the product.
"""

import pytest

pytest.register_assert_rewrite(
    "tests.conformance.foreign", "tests.conformance.hub_process", "tests.conformance.plain_socket"
)
