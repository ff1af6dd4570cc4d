"""Workers on this machine, which end with the process that started them."""

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dask.config
from distributed import Client, LocalCluster

SETTINGS = {
    "distributed.nanny.pre-spawn-environ": {},  # Else a trial would inherit what limits threads and malloc.
    "distributed.scheduler.worker-saturation": 1.0,  # A worker gets a trial when it has none.
}


@contextmanager
def local_cluster(num_workers: int, scratch: Path) -> Iterator[Client]:
    """So many workers, each for one trial at a time; at the end they are killed, in mid-trial or not.

    They listen on the loopback address, without a dashboard.
    """
    with (
        dask.config.set(SETTINGS),
        LocalCluster(
            n_workers=num_workers,
            threads_per_worker=1,
            memory_limit=0,
            host="127.0.0.1",
            dashboard_address=None,
            local_directory=str(scratch),
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        try:
            yield client
        finally:
            for nanny in cluster.workers.values():
                nanny.auto_restart = False
                if nanny.pid:
                    with suppress(ProcessLookupError):
                        os.kill(nanny.pid, signal.SIGKILL)
