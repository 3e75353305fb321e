"""Quantize a model's matrices to 8 bits."""

import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.quant_utils import add_pre_process_metadata


def quantized(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model whose matrix products run on 8-bit weights, one scale a column.

    Weights use 7 of the 8 bits: processors without VNNI would saturate on more (ONNX Runtime's documentation of
    quantization).
    """
    # Its operators are fused already; without this mark ONNX Runtime would advise to do that at each use.
    add_pre_process_metadata(model)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        quantize_dynamic(
            model,
            path,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            # Of what the fused operators return, whose types ONNX cannot infer.
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        return onnx.load(path)
