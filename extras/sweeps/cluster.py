"""Processes on this machine, or on many: Ray, which is installed for sweeps alone.

Only this module and trials.py import Ray.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from common.command_line import CommandError, InputError, gc_disabled

LOOPBACK = ("127.0.0.1", "localhost")
# Where Ray's sockets are, whose paths have at most 107 bytes: too few for many a TMPDIR.
SHORT = "/tmp"  # noqa: S108 -- the folder in it has a name that nobody can guess, and is its owner's
# One a process, for Ray reads it once.
TOKEN = secrets.token_hex(32)
# How often a trial is begun whose process is killed.
ATTEMPTS = 3
# Ray reads these when it is imported; workers that it starts have them, too.
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # It would warn of what a coming version does with GPUs, of which none is used here.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


def is_here(address: str | None) -> bool:
    """Tell whether a cluster is of this machine alone: started here, or listening on loopback."""
    return address is None or urlsplit(f"//{address.rpartition('//')[2]}").hostname in LOOPBACK


@contextmanager
def connected(address: str | None, cpus: int | None = None) -> Iterator[None]:
    """Have workers, as long as the context lasts.

    Parameters
    ----------
    address
        Of a cluster that is there already; None starts one on this machine, which listens on
        loopback alone, without Ray's dashboard, and leaves nothing behind.
    cpus
        How many processors the cluster that is started has; None for all.

    Raises
    ------
    InputError
        If Ray is not installed.
    CommandError
        If the cluster cannot be reached, or Ray cannot be started.
    """
    if not find_spec("ray"):
        raise InputError("Ray is not installed; `make sweep` installs it")
    os.environ.update(ENVIRONMENT if address else ENVIRONMENT | _alone())
    with gc_disabled():
        import ray
    with tempfile.TemporaryDirectory("", "ray-", SHORT, ignore_cleanup_errors=True) as folder:
        started: dict[str, Any] = {
            "address": "local",
            "num_cpus": cpus,
            "include_dashboard": False,
            "_node_ip_address": LOOPBACK[0],
            "_temp_dir": folder,
        }
        try:
            ray.init(
                **({"address": address} if address else started),
                # What a driver imports from this folder its workers get sent.
                runtime_env={
                    "py_modules": [str(Path(__file__).parent)],
                    "env_vars": ENVIRONMENT | _tracking(),
                },
                log_to_driver=False,
                logging_level=logging.CRITICAL,
            )
        except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise CommandError(f"Ray at {address or 'this machine'}: {lines[0]:.300}") from None
        try:
            yield
        finally:
            ray.shutdown()


def _alone() -> dict[str, str]:
    """Give what Ray is told where it is started here: to listen on loopback, to its own alone."""
    return {
        # Ray's name for it; without, it would take the machine's address in the network.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        # Others on this machine have no business with it; and the home folder keeps no token.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": TOKEN,
    }


def machines() -> set[str]:
    """Name the machines of the cluster that this process is connected to."""
    import ray

    return {node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}


def _tracking() -> dict[str, str]:
    """Give what MLflow is told by the environment: also who may write to a server."""
    return {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_")}


def pinned(cores: int) -> list[socket.socket]:
    """Keep this process, and the threads that it starts from now on, on cores of its own.

    TensorFlow has two threads in every process, for the sake of its bytes; side by side on the same
    cores the threads of two processes wait for one another. Where there are not enough cores left,
    or on macOS, where a process cannot be kept anywhere, nothing happens.

    Parameters
    ----------
    cores
        How many.

    Returns
    -------
    list of socket
        What holds the cores, until the process ends, however it ends.
    """
    held: dict[int, socket.socket] = {}
    for core in sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else ():
        # A name that one process of this machine can have, and that no file is left of.
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0mnist-pipeline-core-{core}")
            held[core] = claim
        except OSError:
            claim.close()
        if len(held) == cores:
            os.sched_setaffinity(0, held)
            return list(held.values())
    return []


def mapped(
    make: Callable[..., Callable[[Any], Any]], shared: Sequence[Any], items: Sequence[Any]
) -> Iterator[Any]:
    """Compute something for each item, in one process a processor of the cluster.

    Parameters
    ----------
    make
        Called once in each process, with `shared`; gives the function.
    shared
        Sent once to each machine.
    items
        What the function is called with. An item whose process is killed is tried again.

    Yields
    ------
    object
        What the function gives for each item, in the order of the items.

    Raises
    ------
    CommandError
        Or what else the function raises.
    """
    import ray
    from ray.exceptions import RayTaskError
    from ray.util import ActorPool

    class Process:
        def __init__(self, *shared: Any) -> None:
            self._cores = pinned(1)
            self._compute = make(*shared)

        def compute(self, item: Any) -> Any:
            return self._compute(item)

    process = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=ATTEMPTS - 1)(Process)
    sent = [ray.put(one) for one in shared]
    count = min(int(ray.cluster_resources()["CPU"]), len(items))
    pool = ActorPool([process.remote(*sent) for _ in range(count)])
    try:
        yield from pool.map(lambda one, item: one.compute.remote(item), items)
    except RayTaskError as error:
        raise error.cause from None
