"""Messages between the grader and its worker: JSON of numbers with its length in front.

The same file serves both sides. The grader trusts nothing of what it decodes: sizes, types and
nesting are checked, and nothing but numbers, texts and containers of them is ever made of it.
"""

import json
import math
import re
import reprlib
import struct
import sys

import numpy as np
import torch
from torch import Tensor, nn

HEADER = struct.Struct(">I")  # a message's length in bytes
LARGEST = 8 << 20  # bytes of a message
NUMBERS = 200_000  # elements of a tensor
ITEMS = 50_000  # of a list
TEXT = 10_000  # characters
DEPTH = 8  # containers in containers

DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
        *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool),
    )
}
ARRAYS = {
    *("bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "uint32", "uint64"),
}
LIMIT = sys.float_info.max  # of what is an int in JSON and is to become a float
NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class WireError(ValueError):
    """A message that is not as it should be."""


def pack(message):
    """Return a message as bytes with their number in front.

    Raises
    ------
    WireError
        If it is longer than ``LARGEST``.
    """
    payload = json.dumps(message, allow_nan=False).encode()
    if len(payload) > LARGEST:
        raise WireError(f"expected at most {LARGEST} bytes, got {len(payload)}")
    return HEADER.pack(len(payload)) + payload


def unpack(payload):
    """Return the message, a dict, that the bytes are.

    Raises
    ------
    WireError
        If they are not JSON of a dict.
    """
    try:
        message = json.loads(payload, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise WireError(f"expected JSON, got {type(error).__name__}") from None
    if not isinstance(message, dict):
        raise WireError(f"expected a dict, got {type(message).__name__}")
    return message


def _no_constant(name):
    raise WireError(f"expected a number, got {name}")


def encode(value, depth=DEPTH):
    """Return a value as JSON: numbers, texts, containers, tensors, arrays and two layers.

    Of anything else, and of what is too large, only the name of its type is kept.
    """
    if value is None or isinstance(value, bool | str):
        return value[:TEXT] if isinstance(value, str) else value
    if isinstance(value, int) and abs(value) < 2**63:
        return int(value)
    if isinstance(value, float):
        return _number(float(value))
    if type(value) in (Tensor, nn.Parameter):  # another class may have its own idea of detach
        return _encode_tensor(value)
    if isinstance(value, np.ndarray | np.generic):
        return _encode_array(value)
    if isinstance(value, list | tuple | dict) and depth and len(value) <= ITEMS:
        return _encode_container(value, depth - 1)
    if isinstance(value, nn.Linear):
        return {"linear": [_encode_tensor(value.weight), encode(value.bias)]}
    if isinstance(value, nn.BatchNorm1d):
        return {"batch_norm": _encode_batch_norm(value)}
    return {"object": type(value).__name__[:100]}


def _number(value):
    return value if math.isfinite(value) else {"float": str(value)}


def _encode_container(value, depth):
    if isinstance(value, dict):
        return {"dict": [[encode(key, depth), encode(v, depth)] for key, v in value.items()]}
    items = [encode(item, depth) for item in value]
    return {"tuple": items} if isinstance(value, tuple) else items


def _encode_tensor(value):
    dtype = str(value.dtype).removeprefix("torch.")
    plain = value.layout is torch.strided and value.device.type == "cpu"
    if dtype not in DTYPES or value.numel() > NUMBERS or not plain:
        return {"object": f"Tensor of {value.numel()} numbers of type {dtype}"}
    flat = value.detach().cpu().flatten()
    numbers = (flat.double() if value.is_floating_point() else flat).tolist()
    if value.is_floating_point():
        numbers = [number if math.isfinite(number) else str(number) for number in numbers]
    return {"tensor": {"shape": list(value.shape), "dtype": dtype, "data": numbers}}


def _encode_array(value):
    if value.dtype.name not in ARRAYS or value.size > NUMBERS:
        return {"object": type(value).__name__[:100]}
    numbers = np.ravel(value).tolist()
    if value.dtype.kind == "f":
        numbers = [number if math.isfinite(number) else str(number) for number in numbers]
    if isinstance(value, np.generic):
        return {"scalar": [value.dtype.name, *numbers]}
    return {"array": {"shape": list(value.shape), "dtype": value.dtype.name, "data": numbers}}


def _encode_batch_norm(layer):
    tensors = (layer.weight, layer.bias, layer.running_mean, layer.running_var)
    return {
        "size": int(layer.num_features),
        "eps": _number(float(layer.eps)),
        "momentum": encode(layer.momentum),
        "training": bool(layer.training),
        "tensors": [encode(tensor) for tensor in tensors],
    }


def decode(data, depth=2 * DEPTH):
    """Return the value that the JSON stands for; the opposite of ``encode``.

    Raises
    ------
    WireError
        If ``encode`` can't have made it, or if it is larger than allowed.
    """
    if data is None or isinstance(data, bool | float):
        return data
    if isinstance(data, int):
        return _checked(data, abs(data) < 2**63, "an int of 64 bits")
    if isinstance(data, str):
        return _checked(data, len(data) <= TEXT, "a shorter text")
    if isinstance(data, list):
        return _decode_list(data, depth)
    _checked(data, isinstance(data, dict) and len(data) == 1, "one kind of value")
    [(kind, content)] = data.items()
    if kind == "tuple":
        return tuple(_decode_list(content, depth))
    if kind == "dict":
        return _decode_dict(content, depth)
    _checked(kind, kind in DECODERS, f"one of {sorted(DECODERS)}")
    return DECODERS[kind](content)


def _checked(value, is_right, expected):
    if not is_right:
        raise WireError(f"expected {expected}, got {reprlib.repr(value)}")
    return value


def _decode_list(items, depth):
    _checked(items, isinstance(items, list) and len(items) <= ITEMS and depth > 0, "a short list")
    return [decode(item, depth - 1) for item in items]


def _decode_dict(pairs, depth):
    decoded = _decode_list(pairs, depth)
    for pair in decoded:
        _checked(pair, isinstance(pair, list) and len(pair) == 2, "a key and a value")
        _checked(pair[0], _is_plain(pair[0]), "a plain key")
    return dict(decoded)


def _is_plain(key):
    if isinstance(key, tuple):
        return all(map(_is_plain, key))
    return isinstance(key, str | int | float | None)


def _decode_float(name):
    return NOT_FINITE[_checked(name, isinstance(name, str) and name in NOT_FINITE, "nan or inf")]


def _decode_tensor(content):
    shape, dtype, data = _decode_numbers(content, DTYPES)
    target = DTYPES[dtype]
    if target.is_floating_point:
        return torch.tensor(data, dtype=torch.float64).reshape(shape).to(target)
    if target is not torch.bool:
        _check_range(data, torch.iinfo(target))
    return torch.tensor(data, dtype=target).reshape(shape)


def _decode_array(content):
    shape, dtype, data = _decode_numbers(content, ARRAYS)
    if np.dtype(dtype).kind in "iu":
        _check_range(data, np.iinfo(dtype))
    with np.errstate(over="ignore"):
        return np.array(data, dtype=dtype).reshape(shape)


def _decode_scalar(content):
    _checked(content, isinstance(content, list) and len(content) == 2, "a type and a number")
    return _decode_array({"shape": [], "dtype": content[0], "data": content[1:]})[()]


def _decode_numbers(content, dtypes):
    """Return shape, type and numbers of a tensor or an array, and all of them right."""
    _checked(content, isinstance(content, dict), "a tensor")
    shape, dtype, data = (content.get(name) for name in ("shape", "dtype", "data"))
    _checked(dtype, isinstance(dtype, str) and dtype in dtypes, "a type of numbers")
    _checked(shape, isinstance(shape, list) and len(shape) <= DEPTH, "a shape")
    for size in shape:
        _checked(size, type(size) is int and 0 <= size <= NUMBERS, "a size")
    _checked("data", isinstance(data, list) and len(data) == math.prod(shape), "as many numbers")
    _checked("data", len(data) <= NUMBERS, "fewer numbers")
    if "float" in dtype:
        plain = [x for x in data if not isinstance(x, str)]
        right = all(type(x) in (int, float) and abs(x) <= LIMIT for x in plain)
        _checked("data", right, "numbers")
        data = [_decode_float(x) if isinstance(x, str) else x for x in data]
    else:
        whole = bool if dtype == "bool" else int
        _checked("data", all(type(x) is whole for x in data), f"{dtype} numbers")
    return shape, dtype, data


def _check_range(data, info):
    _checked("data", all(info.min <= x <= info.max for x in data), f"{info.bits} bits")


def _decode_linear(content):
    _checked(content, isinstance(content, list) and len(content) == 2, "a linear layer")
    weight, bias = (decode(part) for part in content)
    _checked("weight", isinstance(weight, Tensor) and weight.dim() == 2, "a matrix")
    _checked("bias", bias is None or (isinstance(bias, Tensor) and bias.dim() == 1), "a vector")
    layer = nn.Linear(1, 1, bias=bias is not None, device="meta")  # draws no numbers
    layer.out_features, layer.in_features = weight.shape
    for name, value in (("weight", weight), ("bias", bias)):
        setattr(layer, name, _parameter(value))
    return layer


def _parameter(value):
    if value is None:
        return None
    return nn.Parameter(value, requires_grad=value.is_floating_point())


def _decode_batch_norm(content):
    _checked(content, isinstance(content, dict), "a batch norm")
    size, training = content.get("size"), content.get("training")
    _checked(size, type(size) is int and 0 <= size <= NUMBERS, "a size")
    _checked(training, isinstance(training, bool), "True or False")
    eps, momentum = (decode(content.get(name)) for name in ("eps", "momentum"))
    _checked(eps, isinstance(eps, float), "a float")
    _checked(momentum, isinstance(momentum, int | float | None), "a number or None")
    tensors = _decode_list(content.get("tensors"), 2)
    _checked("tensors", len(tensors) == 4, "four tensors")
    _checked("tensors", all(isinstance(t, Tensor | None) for t in tensors), "tensors")
    layer = nn.BatchNorm1d(size, eps=eps, momentum=momentum)
    layer.weight, layer.bias = (_parameter(tensor) for tensor in tensors[:2])
    layer.running_mean, layer.running_var = tensors[2:]
    return layer.train(training)


def _decode_object(name):
    _checked(name, isinstance(name, str), "a name")
    if name == "ellipsis":
        return ...
    name = re.sub(r"[^\w ]", "", name)[:100] or "object"
    return type(name, (), {"__repr__": lambda self: f"<{name}>"})()


DECODERS = {
    "float": _decode_float,
    "tensor": _decode_tensor,
    "array": _decode_array,
    "scalar": _decode_scalar,
    "linear": _decode_linear,
    "batch_norm": _decode_batch_norm,
    "object": _decode_object,
}
