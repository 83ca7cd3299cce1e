"""Training on several instances, of which this machine has one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def wait_hostname_resolution(sm_hosts: list[str]) -> None:
    """Return: the only host is this one."""
    del sm_hosts


def rabit_run(
    exec_fun: Callable[..., Any],
    args: dict[str, Any],
    include_in_training: bool,
    hosts: list[str],
    current_host: str,
    first_port: int | None = None,
    second_port: int | None = None,
    max_connect_attempts: int | None = None,
    connect_retry_timeout: int = 10,
    update_rabit_args: bool = False,
) -> None:
    """Call `exec_fun` with `args`, as the master, if this host has data.

    The ports and the retries have no meaning here. Raises ValueError for several hosts.
    """
    del first_port, second_port, max_connect_attempts, connect_retry_timeout
    if len(hosts) > 1:
        raise ValueError(f"{current_host} is one of {len(hosts)} hosts, and this machine has one")
    if include_in_training:
        exec_fun(**args, **({"is_master": True} if update_rabit_args else {}))
