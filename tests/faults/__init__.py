"""What is promised holds when processes die, databases vanish, disks fill and readers stall.

Every hub here is a process of its own that is killed, frozen or starved from outside.
"""

import pytest

pytest.register_assert_rewrite("tests.faults.history", "tests.faults.stage", "tests.faults.crowd")
