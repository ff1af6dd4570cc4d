"""The network as an ONNX file: the same function of images, for programs without torch.

Imports the packages of the group `export`, which `make export` installs.
"""

import json

import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from mnist.checkpoint import METADATA_KEY, Description
from mnist.idx import IMAGE_SIZE
from mnist.inference import BATCH_SIZE
from mnist.model import as_input

INPUT, OUTPUT = "images", "logits"  # float32 [N, 1, 28, 28] from 0 to 1, and float32 [N, 10].


def encode(network: nn.Module, description: Description) -> bytes:
    """Return the content of an ONNX file; it says of itself what the checkpoint does. Equal networks, equal bytes."""
    # Two images: torch takes a length of 1 for a fixed one.
    example = as_input(torch.zeros(2, 1, IMAGE_SIZE, IMAGE_SIZE, dtype=torch.uint8))
    program = torch.onnx.export(
        network.eval(),
        (example,),
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({0: torch.export.Dim("N")},),
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    for part in (model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        part.ClearField("metadata_props")  # Among them where each node comes from: paths of this machine.
    metadata = json.dumps(description.model_dump(mode="json"), sort_keys=True)
    onnx.helper.set_model_props(model, {METADATA_KEY: metadata})
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def predict(content: bytes, images: Tensor) -> Tensor:
    """Return the logits float32 [N, 10] that onnxruntime computes of images uint8 [N, 1, 28, 28]."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    batches = [as_input(batch).numpy() for batch in torch.split(images, BATCH_SIZE)]
    return torch.cat([torch.tensor(session.run([OUTPUT], {INPUT: batch})[0]) for batch in batches])
