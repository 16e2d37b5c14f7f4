"""The check of a whole layer: a class that should behave as ``nn.BatchNorm1d``.

It looks at behaviour alone, so it does not matter what a learner calls a buffer or a gain: a
parameter that moves all examples of a unit by the same amount is the shift, one that moves them
by different amounts the gain.
"""

from torch import nn

from bn_tutorial.checks.examination import Examination, draw_inputs
from bn_tutorial.checks.guard import isolated
from bn_tutorial.checks.judge import SEED, Task, judge
from bn_tutorial.checks.observe import as_arrays, observe
from bn_tutorial.checks.verdict import Verdict


def _script(cls, seed):
    sent = draw_inputs(seed)
    it = Examination(cls, sent.moves)
    (first, second, third), dy, x = sent.batches, sent.dy, sent.x
    steps = (
        ("In eval mode, before any training", it.start, x),
        ("In training, the first batch", it.step, first, dy[0]),
        ("In eval mode, after one batch", it.read, x, dy[0]),
        ("Among its parameters", it.find_roles, first),
        ("In training, a square batch, B = H = 4", it.learn, second, dy[1]),
        ("In training, a batch of 6", it.step, third, dy[2]),
        ("In eval mode, after three batches", it.read, x, dy[0]),
        ("In eval mode, one example alone", it.read_alone, x),
        ("In eval mode, after it has read other examples", it.read_again, x),
        ("In eval mode, with frozen parameters", it.read_frozen, x),
        ("After state_dict and load_state_dict into a new layer", it.save_and_load, x),
        ("In training under no_grad", it.without_grad, second),
        ("With the default settings and a tiny variance", it.with_defaults, sent.tiny),
        ("In training, with a large mean", it.far_away, sent.far),
    )
    for where, function, *inputs in steps:
        # far away rounding is large, and what it makes of a wrong formula is anything
        more = {"fragile": True, "slack": 100.0} if function == it.far_away else {}
        arguments = dict(zip(("x", "dy"), inputs, strict=False))
        seen = observe(where, function, arguments, as_arrays, **more)
        yield seen
        if seen.stub or seen.fatal or not isinstance(it.layer, nn.Module):
            return


LAYER = Task(
    "batch_norm_layer",
    _script,
    (nn.BatchNorm1d,),
    1e-4,
    "it behaves as torch.nn.BatchNorm1d: outputs, gradients, modes, buffers, saved and loaded",
)


@isolated
def batch_norm_layer(cls, *, seed=SEED):
    """Check a layer, ``cls(num_features, eps=1e-5, momentum=0.1)``.

    It has to behave as ``nn.BatchNorm1d``: normalize with the batch's mean and variance
    (correction 0) in training, with gradients through both, and with the running ones in eval
    mode; remember ``(1 - momentum) * old + momentum * batch`` with correction 1, from 0 and 1, in
    training only and without a graph; train a gain and a shift and nothing else; keep all of it in
    its ``state_dict``. The names of parameters and buffers are free, and a counter of the batches
    is not asked for. ``cls`` is a subclass of ``nn.Module``; it gets batches (B, H), float32.

    References
    ----------
    Ioffe and Szegedy 2015, "Batch Normalization", arXiv:1502.03167, algorithms 1 and 2.

    Examples
    --------
    >>> batch_norm_layer(nn.BatchNorm1d).passed
    True
    """
    if isinstance(cls, nn.Module):
        return Verdict(False, None, "expected the class, got a layer made of it")
    return judge(LAYER, cls, seed)
