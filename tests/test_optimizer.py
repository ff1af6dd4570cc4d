"""AdamW is torch's own, to the bit, and its state can be written and read."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from mnist.checkpoint import decode_tensors, encode_tensors
from mnist.model import TwoLayerParams, build_network
from mnist.optimizer import AdamW, OptimizerParams

IMAGES = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(8)
RATES = (0.01, 0.02, 0.005)


def new_network() -> nn.Module:
    torch.manual_seed(0)
    return build_network(TwoLayerParams(name="two_layer"))


def params(weight_decay: float = 0.1) -> OptimizerParams:
    return OptimizerParams(learning_rate=0.01, betas=[0.9, 0.99], weight_decay=weight_decay)


def set_gradients(network: nn.Module) -> None:
    network.zero_grad()
    functional.cross_entropy(network(IMAGES), LABELS).backward()  # type: ignore[no-untyped-call]


def content(network: nn.Module) -> bytes:
    return encode_tensors(network.state_dict())


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_steps_are_those_of_torch(weight_decay: float) -> None:
    network, peer = new_network(), new_network()
    optimizer = AdamW(network.parameters(), params(weight_decay))
    theirs = torch.optim.AdamW(peer.parameters(), 0.01, (0.9, 0.99), weight_decay=weight_decay, fused=True)
    for rate in RATES:
        set_gradients(network)
        optimizer.step(rate)
        set_gradients(peer)
        theirs.param_groups[0]["lr"] = rate
        theirs.step()
    assert content(network) == content(peer)


def test_optimizer_with_a_loaded_state_goes_on_as_the_one_that_wrote_it() -> None:
    network, resumed = new_network(), new_network()
    optimizer = AdamW(network.parameters(), params())
    for rate in RATES:
        set_gradients(network)
        optimizer.step(rate)
    resumed.load_state_dict(decode_tensors(content(network)))
    loaded = AdamW(resumed.parameters(), params())
    loaded.load_state(decode_tensors(encode_tensors(optimizer.state())))
    for each, its_optimizer in ((network, optimizer), (resumed, loaded)):
        set_gradients(each)
        its_optimizer.step(0.01)
    assert content(resumed) == content(network)
    assert encode_tensors(loaded.state()) == encode_tensors(optimizer.state())


def test_state_of_another_network_is_refused() -> None:
    state = AdamW(nn.Linear(2, 2).parameters(), params()).state()
    with pytest.raises(ValueError, match="another network"):
        AdamW(new_network().parameters(), params()).load_state(state)
