"""Wrong ways to fold, ``fn(linear, batch_norm) -> linear``."""
# ruff: noqa: D103 -- code that is shown: its docstring would tell too much

from functools import partial

import torch
from torch import nn

from bn_tutorial.checks.bugs.bug import Bug


@torch.no_grad()
def fold(linear, batch_norm):
    scale = batch_norm.weight / (batch_norm.running_var + batch_norm.eps).sqrt()
    folded = nn.Linear(linear.in_features, linear.out_features)
    folded.weight.copy_(linear.weight * scale[:, None])
    folded.bias.copy_((linear.bias - batch_norm.running_mean) * scale + batch_norm.bias)
    return folded


STD = "(batch_norm.running_var + batch_norm.eps).sqrt()"
CENTERED = "(linear.bias - batch_norm.running_mean)"
BIAS = f"{CENTERED} * scale + batch_norm.bias"

bug = partial(Bug, check="fold", chapter="10_in_pytorch", right=fold)

BUGS = (
    bug(
        name="fold_without_running_mean",
        symptom="Every output is off by a number of its own, the same for all inputs.",
        explanation="The running mean is missing: the bias is (bias - running_mean) * scale + "
        "shift.",
        edits={CENTERED: "linear.bias"},
    ),
    bug(
        name="fold_without_eps",
        symptom="Most outputs are right; those of units with a tiny variance are too large.",
        explanation="eps is missing: scale = weight / sqrt(running_var + eps).",
        edits={"(batch_norm.running_var + batch_norm.eps)": "batch_norm.running_var"},
    ),
    bug(
        name="fold_with_fixed_eps",
        symptom="Right for a norm with the default settings, and wrong for one from elsewhere.",
        explanation="eps is always 1e-5. It is a setting of the norm: batch_norm.eps.",
        edits={"batch_norm.eps": "1e-5"},
    ),
    bug(
        name="fold_with_eps_outside_root",
        symptom="Units with a tiny variance come out too large, and with a large eps all are off.",
        explanation="eps is added to the standard deviation. It belongs inside the root: "
        "sqrt(running_var + eps).",
        edits={STD: "(batch_norm.running_var.sqrt() + batch_norm.eps)"},
    ),
    bug(
        name="fold_without_root",
        symptom="Units with a small running variance come out much too large.",
        explanation="It divides by the variance. The standard deviation is its root: "
        "sqrt(running_var + eps).",
        edits={".sqrt()": ""},
    ),
    bug(
        name="fold_without_gain",
        symptom="Right for an untrained norm; of a trained one each output is off by a factor.",
        explanation="The gain is missing: scale = weight / sqrt(running_var + eps) with the "
        "norm's weight.",
        edits={"batch_norm.weight": "1"},
    ),
    bug(
        name="fold_without_shift",
        symptom="Right for an untrained norm; of a trained one each output is off by a number.",
        explanation="The norm's shift is missing: add batch_norm.bias at the end.",
        edits={" + batch_norm.bias": ""},
    ),
    bug(
        name="fold_without_linear_bias",
        symptom="Right after a Linear without a bias; otherwise each output is off by a number.",
        explanation="The Linear's own bias is missing. Useless in training, it is part of the "
        "running mean, so it can't be left out here.",
        edits={BIAS: "batch_norm.bias - batch_norm.running_mean * scale"},
    ),
    bug(
        name="fold_with_unscaled_linear_bias",
        symptom="Right where the Linear's bias is 0; otherwise each output is off by a number.",
        explanation="The Linear's own bias is not scaled. It comes before the norm, so it is "
        "multiplied by scale as the weights are.",
        edits={CENTERED: "linear.bias - batch_norm.running_mean"},
    ),
    bug(
        name="fold_with_unscaled_mean",
        symptom="Right where the running mean is 0; otherwise each output is off by a number.",
        explanation="The running mean is not scaled. It is subtracted before the norm scales: "
        "(bias - running_mean) * scale.",
        edits={f"{CENTERED} * scale": "linear.bias * scale - batch_norm.running_mean"},
    ),
    bug(
        name="fold_with_mean_added",
        symptom="The outputs are off by twice the effect of the running mean.",
        explanation="The running mean is added. The norm subtracts it.",
        edits={"bias - ": "bias + "},
    ),
    bug(
        name="fold_without_bias",
        symptom="The weights are right, the bias is the one from before.",
        explanation="Only the weights are folded. The bias takes part too: (bias - running_mean) "
        "* scale + shift.",
        edits={BIAS: "linear.bias"},
    ),
    bug(
        name="fold_without_weight",
        symptom="The bias is right, the weights are those from before.",
        explanation="Only the bias is folded. Every row of the weights is multiplied by its scale.",
        edits={" * scale[:, None]": ""},
    ),
    bug(
        name="fold_scales_inputs",
        symptom="It raises a shape error, except where the Linear is square; there the answers "
        "are wrong.",
        explanation="The scale multiplies the columns of the weights, which belong to the inputs. "
        "PyTorch's weight is (outputs, inputs), so each row has its scale: scale[:, None].",
        edits={"[:, None]": ""},
    ),
    bug(
        name="fold_overwrites_linear",
        symptom="The folded layer is right, but the network it came from gives other answers now.",
        explanation="It changes the Linear that it is given. Make a new one, or copy it first.",
        edits={
            "folded = nn.Linear(linear.in_features, linear.out_features)": "",
            "folded.weight.copy_(linear.weight * ": "linear.weight.mul_(",
            "folded.bias": "linear.bias",
            "return folded": "return linear",
        },
    ),
)
