"""Schedulers and workers: on this machine, ended with the process that started them, or on several."""

import asyncio
import logging
import os
import platform
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import dask.config
from distributed import CancelledError, Client, LocalCluster, Nanny, Scheduler
from distributed.comm import CommClosedError, connect

from pipeline.errors import UserError
from tools.trials.address import security_for, split_address
from tools.trials.place import Place
from tools.trials.state import SWEEP

SETTINGS = {
    "distributed.nanny.pre-spawn-environ": {},  # Else a trial would inherit what limits threads and malloc.
    "distributed.scheduler.worker-saturation": 1.0,  # A worker gets a trial when it has none.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
NO_PAGES = "127.0.0.1:0"  # Dask serves HTTP in any case, which no certificate guards: without pages, to this machine.
SCRATCH = SWEEP / "dask"
SECONDS_TO_CONNECT = 10  # As long a sweep looks for a scheduler that has ended, too.
SECONDS_TO_JOIN = 60  # A worker may be started before its scheduler.


@contextmanager
def local_workers(place: Place) -> Iterator[Client]:
    """Workers on this machine, each for one trial at a time; at the end they are killed, in mid-trial or not.

    They listen on the loopback address, without a dashboard.
    """
    logging.disable()  # What Dask says of workers that are killed is no news.
    with (
        dask.config.set(SETTINGS | place.settings()),
        LocalCluster(
            n_workers=place.num_clones,
            threads_per_worker=1,
            memory_limit=0,
            host="127.0.0.1",
            dashboard_address=NO_PAGES,
            worker_dashboard_address=NO_PAGES,
            local_directory=str(SCRATCH),
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        try:
            yield client
        finally:
            _kill(cluster.workers.values())


@contextmanager
def joined_workers(address: str) -> Iterator[Client]:
    """The workers that joined a scheduler, or will."""
    logging.disable()
    security = security_for(address)
    try:
        with dask.config.set(SETTINGS):
            client = Client(address, security=security, timeout=SECONDS_TO_CONNECT)
    except OSError as error:
        raise _no_answer(address, error) from None
    try:
        with client:
            yield client
    except (CommClosedError, CancelledError):
        raise UserError(
            f"the scheduler {address} has ended: start it and the workers again, and then the same sweep, which goes on"
        ) from None


async def serve(address: str) -> None:
    """Be the scheduler at an address."""
    logging.disable()
    protocol, host, port = split_address(address)
    with dask.config.set(SETTINGS):
        own = {"protocol": f"{protocol}://", "host": host, "port": port}
        async with Scheduler(
            **own, security=security_for(address), dashboard=False, dashboard_address=NO_PAGES
        ) as scheduler:
            print(f"sweep: a scheduler listens at {scheduler.address}", flush=True)
            await scheduler.finished()


async def join(address: str, place: Place) -> None:
    """Run trials for the scheduler at an address, until that ends; what they are at then is killed.

    Raises:
        UserError: the scheduler does not answer.
    """
    logging.disable()
    security = security_for(address)
    with dask.config.set(SETTINGS | place.settings()):
        try:
            connection = await connect(address, SECONDS_TO_JOIN, **security.get_connection_args("worker"))
        except OSError as error:
            raise _no_answer(address, error) from None
        nannies = [
            Nanny(
                address,
                name=f"{platform.node()}-{os.getpid()}-{number}",
                nthreads=1,
                memory_limit=0,
                dashboard=False,
                dashboard_address=NO_PAGES,
                local_directory=str(SCRATCH),
                security=security,
                silence_logs=logging.CRITICAL,
                death_timeout=SECONDS_TO_JOIN,
            )
            for number in range(1, place.num_clones + 1)
        ]
        try:
            await asyncio.gather(*nannies)
            print(f"sweep: {place.num_clones} workers of {platform.node()} joined {address}", flush=True)
            # Nothing comes by the connection but its end. A worker by itself would wait 30 s for a trial to end.
            end, lost = asyncio.ensure_future(connection.read()), asyncio.gather(*(each.finished() for each in nannies))
            await asyncio.wait([end, lost], return_when=asyncio.FIRST_COMPLETED)
        finally:
            _kill(nannies)


def _no_answer(address: str, error: OSError) -> UserError:
    return UserError(f"the scheduler {address} does not answer: {error}")


def _kill(nannies: Iterable[Nanny]) -> None:
    for nanny in nannies:
        nanny.close_gracefully()  # Else it would start a worker in the place of the one that is killed.
        if nanny.pid:
            with suppress(ProcessLookupError):
                os.kill(nanny.pid, signal.SIGKILL)
