"""Runs a training step on a GPU as one launch: its many small kernels are recorded once, then replayed.

The GPU is faster than Python can feed it: an epoch of `notes` took 0.42 s so, and 3.2 s without (H200, torch 2.11,
`python -m bench.gpu`).
Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Step = Callable[..., Tensor]
# Records a call, and carries it out a few times on the way; returns what repeats it, and where its result then lies.
Record = Callable[[Callable[[], Tensor]], tuple[Callable[[], None], Tensor]]

NUM_WARM_UPS = 3  # What libraries choose, allocate or compile at a first call must not happen while recording.


def record_cuda_graph(call: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
    """Record what a call does on the GPU. It is carried out `NUM_WARM_UPS` times before; while recording, it is not."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    graph = torch.cuda.CUDAGraph()
    stream.wait_stream(torch.cuda.current_stream())
    try:
        with torch.cuda.stream(stream):  # Also brings the old stream back, which torch.cuda.graph does not if it fails.
            for _ in range(NUM_WARM_UPS):
                call()
            with torch.cuda.graph(graph, stream=stream):
                result = call()
    finally:
        torch.cuda.synchronize()  # After a failure, too, nothing may be at work on what the caller then restores.
    return graph.replay, result


class RecordedStep:
    """Does what `step` does, to the bit: records it once for each shape of its inputs, such as that of the last batch.

    `state` is all that a step alters: recording leaves it as it was, and the random numbers to come. The result is
    overwritten by the next step. Where recording fails, a warning says so, and `step` itself is called from then on.
    """

    def __init__(self, step: Step, state: Sequence[Tensor], record: Record) -> None:
        self._step = step
        self._state = state
        self._record = record
        self._recordings: dict[tuple[torch.Size, ...], tuple[list[Tensor], Callable[[], None], Tensor]] = {}
        self._failed = False

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Take a step on tensors of a GPU."""
        shapes = tuple(value.shape for value in inputs)
        if shapes not in self._recordings and not self._failed:
            self._try_to_record(shapes, inputs)
        if self._failed:
            return self._step(*inputs)
        own_inputs, replay, result = self._recordings[shapes]
        for own, value in zip(own_inputs, inputs, strict=True):
            own.copy_(value)
        replay()
        return result

    def _try_to_record(self, shapes: tuple[torch.Size, ...], inputs: tuple[Tensor, ...]) -> None:
        state_before = [value.clone() for value in self._state]
        own_inputs = [value.clone() for value in inputs]
        gpus = {value.device for value in inputs if value.is_cuda}
        try:
            with torch.random.fork_rng(gpus):
                self._recordings[shapes] = (own_inputs, *self._record(lambda: self._step(*own_inputs)))
        except RuntimeError as error:
            reason = error.__context__ or error  # The end of a failed recording hides what made it fail.
            warnings.warn(f"a step cannot be recorded as a CUDA graph, so training is slower: {reason}", stacklevel=2)
            self._failed = True
        finally:
            with torch.no_grad():
                for value, before in zip(self._state, state_before, strict=True):
                    value.copy_(before)
