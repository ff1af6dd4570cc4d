"""Trains the epochs of a job that are not there yet."""

from dataclasses import dataclass

import torch
from torch import nn

from mnist.checkpoint import decode_tensors
from mnist.data import Examples
from mnist.determinism import derive_seed
from mnist.model import build_network
from stages.train.epoch import make_step, train_epoch
from stages.train.graph import record_cuda_graph
from stages.train.history import History
from stages.train.job import Job
from stages.train.optimizer import AdamW
from stages.train.recorder import Recorder
from stages.train.team import ALONE, Team


@dataclass(frozen=True)
class State:
    """What a training goes on from: the files of its last epoch; at the beginning none, and `epoch` is 0."""

    epoch: int
    checkpoint: bytes = b""
    optimizer: bytes = b""


def read_state(history: History, num_epochs: int) -> State:
    """The state behind the last epoch, of `num_epochs` at most, from which the training of a history can go on."""
    epoch = history.resumable(num_epochs)
    return State(epoch, history.checkpoint(epoch), history.optimizer_state(epoch)) if epoch else State(0)


def train(job: Job, before: State, training: Examples, recorder: Recorder | None, team: Team = ALONE) -> State:
    """Train the epochs behind a state, and return the last state; of a team, one has a recorder.

    Examples lie on the device to train on.
    """
    network, optimizer = _restore(job, before)
    if recorder:
        recorder.begin(network, optimizer)
    record = record_cuda_graph if job.device.type == "cuda" else None
    step = make_step(network, optimizer, job.recipe, team, record)
    for epoch in range(before.epoch + 1, job.recipe.epochs + 1):
        loss = train_epoch(step, network, training, job.recipe, epoch)
        if recorder:
            recorder.add(epoch, loss, network, optimizer)
    return State(job.recipe.epochs, *job.encode(job.recipe.epochs, network, optimizer))


def _restore(job: Job, state: State) -> tuple[nn.Module, AdamW]:
    """The network and its optimizer as they were."""
    torch.manual_seed(derive_seed(job.recipe.seed, epoch=0, purpose="network"))
    network = build_network(job.recipe.network).to(job.device)
    optimizer = AdamW(network.parameters(), job.recipe.optimizer)
    if state.epoch:
        network.load_state_dict(decode_tensors(state.checkpoint))
        optimizer.load_state(decode_tensors(state.optimizer))
    return network, optimizer
