"""AdamW is torch's own, to the bit, and its state can be written and read."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mnist.checkpoint import decode_tensors, encode_tensors
from mnist.model import TwoLayerParams, build_network
from stages.train.optimizer import AdamW, OptimizerParams

IMAGES = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(8)
RATES = torch.tensor([0.01, 0.02, 0.005])


def new_network() -> nn.Module:
    torch.manual_seed(0)
    return build_network(TwoLayerParams(name="two_layer"))


def params(weight_decay: float = 0.1) -> OptimizerParams:
    return OptimizerParams(learning_rate=0.01, betas=[0.9, 0.99], weight_decay=weight_decay)


def step(network: nn.Module, optimizer: AdamW, rate: Tensor) -> None:
    loss = functional.cross_entropy(network(IMAGES), LABELS)
    optimizer.step(torch.autograd.grad(loss, list(network.parameters())), rate)


def content(network: nn.Module) -> bytes:
    return encode_tensors(network.state_dict())


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_steps_are_those_of_torch(weight_decay: float) -> None:
    network, peer = new_network(), new_network()
    optimizer = AdamW(network.parameters(), params(weight_decay))
    theirs = torch.optim.AdamW(peer.parameters(), 0.01, (0.9, 0.99), weight_decay=weight_decay, fused=True)
    for rate in RATES:
        step(network, optimizer, rate)
        theirs.zero_grad()
        functional.cross_entropy(peer(IMAGES), LABELS).backward()  # type: ignore[no-untyped-call]
        theirs.param_groups[0]["lr"] = rate.item()
        theirs.step()
    assert content(network) == content(peer)


def test_gradient_of_another_memory_layout_reaches_the_right_weights() -> None:
    gradient = torch.zeros(4, 3, 3, 3)
    gradient[1, 2, 0, 1] = 1
    weight = nn.Parameter(torch.zeros(4, 3, 3, 3).to(memory_format=torch.channels_last))
    AdamW([weight], params(weight_decay=0)).step((gradient,), RATES[0])
    assert torch.equal(weight != 0, gradient != 0)


def test_optimizer_with_a_loaded_state_goes_on_as_the_one_that_wrote_it() -> None:
    network, resumed = new_network(), new_network()
    optimizer = AdamW(network.parameters(), params())
    for rate in RATES:
        step(network, optimizer, rate)
    resumed.load_state_dict(decode_tensors(content(network)))
    loaded = AdamW(resumed.parameters(), params())
    loaded.load_state(decode_tensors(encode_tensors(optimizer.state())))
    for each, its_optimizer in ((network, optimizer), (resumed, loaded)):
        step(each, its_optimizer, RATES[0])
    assert content(resumed) == content(network)
    assert encode_tensors(loaded.state()) == encode_tensors(optimizer.state())


def test_state_of_another_network_is_refused() -> None:
    state = AdamW(nn.Linear(2, 2).parameters(), params()).state()
    with pytest.raises(ValueError, match="another network"):
        AdamW(new_network().parameters(), params()).load_state(state)
