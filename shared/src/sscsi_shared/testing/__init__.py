"""What a provider's author tests with: a contract suite, a daemon in this process, a small provider as an example."""

import sys

if pytest := sys.modules.get("pytest"):
    pytest.register_assert_rewrite("sscsi_shared.testing.contract", "sscsi_shared.testing.caller")
