"""What the grader and its worker tell each other, and what the worker notices."""

import contextlib
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bn_tutorial.grading._proxy import Proxy, exception, put_back
from bn_tutorial.grading.box import wire, worker

# values


VALUES = [
    *(None, True, 3, -(2**62), 0.1, math.inf, -math.inf, torch.finfo(torch.float64).tiny),
    *("text", [], [1, (2.5, "x")], {"a": 1, 3: [None]}, {(0, 1): 2.0}, ...),
    *(torch.tensor(1.5), torch.tensor([[1, -2]]), torch.tensor([True, False])),
    *(torch.tensor([math.nan, math.inf, -math.inf, -0.0]), torch.tensor([255], dtype=torch.uint8)),
    *(torch.rand(3, 4, dtype=torch.float64), torch.rand(2, 0, 3), torch.rand(4, 3).T),
    *(torch.rand(5).half(), torch.rand(5).bfloat16(), np.float32(0.1), np.int64(-3), np.bool_(1)),
    *(np.array([[1, 2]], "uint8"), np.array([math.nan, -math.inf]), np.zeros((2, 0)), np.array(2)),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_come_back_as_they_were(value):
    payload = wire.pack({"value": wire.encode(value)})
    back = wire.decode(wire.unpack(payload[wire.HEADER.size :])["value"])
    assert type(back) is type(value)
    assert wire.encode(back) == wire.encode(value)  # a NaN is one
    if isinstance(value, torch.Tensor):
        assert back.dtype == value.dtype
        torch.testing.assert_close(back, value, rtol=0, atol=0, equal_nan=True)
    if isinstance(value, np.ndarray | np.generic):
        assert back.dtype == value.dtype
        np.testing.assert_array_equal(back, value)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(3, 5, dtype=torch.float64),
        nn.Linear(3, 5, bias=False, dtype=torch.float64),
        nn.BatchNorm1d(3),
        nn.BatchNorm1d(3, eps=0.5, momentum=None),
        nn.BatchNorm1d(3, affine=False),
        nn.BatchNorm1d(3, track_running_stats=False),
    ],
    ids=str,
)
def test_a_layer_comes_back(layer):
    x = torch.rand(8, 3, dtype=torch.float64 if isinstance(layer, nn.Linear) else torch.float32)
    layer(x)
    layer.eval()
    back = wire.decode(wire.encode(layer))
    if isinstance(layer, nn.Linear):
        assert (back.in_features, back.out_features) == (3, 5)
    else:
        assert (back.eps, back.momentum, back.training) == (layer.eps, layer.momentum, False)
    torch.testing.assert_close(back(x), layer(x), rtol=0, atol=0)


def test_of_other_things_only_the_name_of_the_type_comes_back():
    class Odd:
        pass

    class Own(torch.Tensor):
        pass

    assert type(wire.decode(wire.encode(Odd()))).__name__ == "Odd"
    assert "9000000" in type(wire.decode(wire.encode(torch.zeros(3000, 3000)))).__name__
    assert wire.encode(np.array(["a"])) == {"object": "ndarray"}
    assert wire.encode(np.longdouble(1)) == {"object": "longdouble"}
    assert wire.encode(torch.zeros(2).as_subclass(Own)) == {"object": "Own"}
    assert wire.encode(torch.zeros(2, device="meta"))["object"].startswith("Tensor of 2")
    assert wire.encode(2**70) == {"object": "int"}
    deep = []
    for _ in range(20):
        deep = [deep]
    wire.decode(wire.encode(deep))


# messages that are wrong

tree = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*wire.DECODERS, "tuple", "dict", "x"]), inner, max_size=2
        )
        | st.fixed_dictionaries(
            {"shape": inner, "dtype": st.sampled_from(["float32", "int8", "bool"]), "data": inner}
        ).map(lambda content: {"tensor": content})
        | st.fixed_dictionaries(
            {"size": inner, "eps": inner, "momentum": inner, "training": inner, "tensors": inner}
        ).map(lambda content: {"batch_norm": content})
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(tree)
def test_whatever_comes_is_a_value_or_a_wire_error(data):
    with contextlib.suppress(wire.WireError):
        wire.decode(data)


def tensor(shape, dtype, data):
    return {"tensor": {"shape": shape, "dtype": dtype, "data": data}}


WRONG = [
    *(tensor([2], "float32", [1.0]), tensor([2**40], "float32", []), tensor(True, "float32", [])),
    *(tensor([-1], "float32", [1.0]), tensor([1], "object", [1.0]), tensor([1], "int8", [300])),
    *(tensor([1], "bool", [1]), tensor([1], "float32", [[1.0]]), tensor([1], "float32", [True])),
    *({"tensor": []}, {"linear": [1, 2]}, {"linear": []}, {"batch_norm": {}}, {"float": "1"}),
    *({"float": []}, {"object": 3}, {"dict": [[1]]}, {"dict": [[[], 1]]}, {}, {"a": 1, "b": 2}),
    *("x" * 20_000, 2**64, [0] * 60_000, {"array": []}, {"scalar": 1}, {"scalar": ["int8", 300]}),
    *({"scalar": ["object", 1]}, {"scalar": ["float64", 10**400]}, tensor([1], "float64", [1e999])),
]


@pytest.mark.parametrize("data", WRONG, ids=lambda data: str(data)[:50])
def test_a_wrong_message_is_refused(data):
    with pytest.raises(wire.WireError, match="expected"):
        wire.decode(data)


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xff", b"[1]", b"{", b"[" * 100_000, b'{"a": NaN}', b'{"a": ' + b"1" * 5_000 + b"}"],
    ids=lambda p: str(p[:9]),
)
def test_what_is_no_json_is_refused(payload):
    with pytest.raises(wire.WireError):
        wire.unpack(payload)


def test_a_message_has_a_largest_size():
    with pytest.raises(wire.WireError, match="at most"):
        wire.pack({"text": "x" * (wire.LARGEST + 1)})


# the proxy


def test_a_proxy_raises_what_the_function_raised():
    error = exception({"type": "Value<Error>", "message": "a\nb\x1b"})
    assert type(error).__name__ == "ValueError"
    assert str(error) == "a b"
    assert not isinstance(exception({"type": "SystemExit", "message": ""}), SystemExit)


NO_ANSWERS = [
    *({}, {"value": {"tensor": 3}}, {"error": 3}, {"error": {"type": 1}}),
    *({"value": 1, "changed": changed} for changed in (3, [[7, 1]], [["0", 1]])),
]


@pytest.mark.parametrize("answer", NO_ANSWERS, ids=str)
def test_an_answer_that_is_none_is_a_failure(answer):
    proxy = Proxy(lambda request: answer, "f")
    with pytest.raises(Exception, match="messages"):
        proxy(torch.rand(3))
    assert proxy.kind == "no answer"


def test_changed_arguments_are_changed_here_too():
    x, y, layer, numbers = torch.zeros(2), torch.zeros(2), nn.Linear(2, 2), [1]
    new = torch.ones(2), torch.ones(3), nn.Linear(2, 2), [1, 2]
    put_back((x, y, layer, numbers), [[i, wire.encode(value)] for i, value in enumerate(new)])
    assert x.tolist() == [1, 1]
    assert y.tolist() == [1, 1, 1]
    assert torch.equal(layer.weight, new[2].weight)
    assert numbers == [1, 2]


# PyTorch's own norms

NO_STATISTICS = "None, None, None, None, True, 0.1, 1e-5"
OWN_NORMS = {
    "functional": "def f(x): return torch.nn.functional.batch_norm(x, None, None, training=True)",
    "module": "from torch.nn import functional as g\ndef f(x): return g.layer_norm(x, (3,))",
    "layer": "def f(x):\n    import torch.nn as n\n    return n.BatchNorm1d(3)(x)",
    "alias": f"g = torch.batch_norm\ndef f(x): return g(x, {NO_STATISTICS}, False)",
    "operation": f"def f(x): return torch.ops.aten.native_batch_norm(x, {NO_STATISTICS})[0]",
    "class": "class A:\n    layer = torch.nn.GroupNorm(1, 3)\nf = lambda x: A.layer(x)",
    "instance": f"def f(x): return torch.instance_norm(x[None], {NO_STATISTICS}, False)[0]",
    "rms": "f = lambda x: torch.nn.functional.rms_norm(x, (3,))",
    "script": "g = torch.jit.script(torch.nn.LayerNorm(3))\nf = lambda x: g(x)",
    "caught": "def f(x):\n  try: return torch.nn.BatchNorm1d(3)(x)\n  except Exception: return x",
}
NO_OWN_NORMS = {
    "beside": "def f(x): return x / torch.linalg.norm(x)\ntorch.nn.LayerNorm(3)(torch.rand(4, 3))",
    "own_name": "def batch_norm(x): return x\ndef f(x): return batch_norm(x)",
    "argument": "def f(batch_norm): return batch_norm.mean(0)",
    "normalize": "def f(x): return torch.nn.functional.normalize(x)",
}


@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("name", [*OWN_NORMS, *NO_OWN_NORMS])
def test_a_call_of_an_own_norm_is_seen(name):
    namespace = {"torch": torch}
    exec({**OWN_NORMS, **NO_OWN_NORMS}[name], namespace)
    x = wire.encode(torch.rand(8, 3))
    request = {"function": "f", "arguments": [x], "forbid_torch_norms": True}
    answer = worker._call(request, namespace, wire)
    assert ("forbidden" in answer) == (name in OWN_NORMS)
    assert ("value" in answer) == (name in NO_OWN_NORMS)


def test_norms_are_known_by_their_names():
    names = [
        "aten.native_batch_norm.default",
        "aten._batch_norm_with_update.default",
        "BatchNorm1d",
        "aten.native_layer_norm.default",
        "aten.native_group_norm.default",
        "instance_norm",
        "SyncBatchNorm",
        "aten._native_batch_norm_legit.no_stats",
    ]
    assert all(map(worker.is_norm, names))
    assert not any(map(worker.is_norm, ["aten.norm.Scalar", "vector_norm", "normalize", "renorm"]))
