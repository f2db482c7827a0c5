"""Connect to Ray: on this machine, or on a cluster of many."""

import logging
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from support.command_line import CommandError, InputError, gc_disabled

ROOT = Path(__file__).parents[2]
# Ray reads these when it is imported, also in workers.
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # Otherwise Ray warns of a future change for GPUs, which are not used here.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Otherwise Ray Tune writes three files per trial, which nobody reads, and prints tables.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
}
# A cluster that is started here listens on loopback only, and accepts only its own workers.
LOCAL_ENVIRONMENT = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # otherwise Ray replaces the loopback address
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}
# Other machines have the packages installed; they receive the code from here.
CODE = [str(ROOT / name) for name in ("common", "extras", "stages", "support")]


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Connect to a running cluster, or start one on this machine, until the context ends."""
    if not find_spec("ray"):
        raise InputError("Ray is not installed; `make .venv/installed-sweeps` installs it")
    os.environ.update(ENVIRONMENT if address else ENVIRONMENT | LOCAL_ENVIRONMENT)
    with gc_disabled():
        import ray
    # In /tmp, because the paths of Ray's sockets have at most 107 bytes.
    with tempfile.TemporaryDirectory("", "ray-", "/tmp", ignore_cleanup_errors=True) as folder:
        local = {"address": "local", "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        options: dict[str, Any] = {"address": address} if address else local | {"_temp_dir": folder}
        options |= {"log_to_driver": False, "logging_level": logging.CRITICAL}
        environment = {"env_vars": ENVIRONMENT} | ({"py_modules": CODE} if address else {})
        try:
            connection = ray.init(runtime_env=environment, **options)
        except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise CommandError(f"Ray ({address or 'this machine'}): {reason:.300}") from None
        with connection:
            yield
