"""Wrong ways to fold, ``fn(linear, batch_norm) -> linear``."""
# ruff: noqa: D103 -- code that is shown: its docstring would tell too much

import torch
from torch import nn

from bn_tutorial.checks.bugs.bug import bugs_from, named


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

bug = bugs_from(fold, check="fold", chapter="10_in_pytorch")

BUGS = named(
    fold_without_running_mean=bug(
        "The running mean is missing: the bias is (bias - running_mean) * scale + shift.",
        {CENTERED: "linear.bias"},
        symptom="Every output is off by a number of its own, the same for all inputs.",
    ),
    fold_without_eps=bug(
        "eps is missing: scale = weight / sqrt(running_var + eps).",
        {"(batch_norm.running_var + batch_norm.eps)": "batch_norm.running_var"},
        symptom="Most outputs are right; those of units with a tiny variance are too large.",
    ),
    fold_with_fixed_eps=bug(
        "eps is always 1e-5. It is a setting of the norm: batch_norm.eps.",
        {"batch_norm.eps": "1e-5"},
        symptom="Right for a norm with the default settings, and wrong for one from elsewhere.",
    ),
    fold_with_eps_outside_root=bug(
        "eps is added to the standard deviation. It belongs inside the root: sqrt(running_var + "
        "eps).",
        {STD: "(batch_norm.running_var.sqrt() + batch_norm.eps)"},
        symptom="Units with a tiny variance come out too large, and with a large eps all are off.",
    ),
    fold_without_root=bug(
        "It divides by the variance. The standard deviation is its root: sqrt(running_var + eps).",
        {".sqrt()": ""},
        symptom="Units with a small running variance come out much too large.",
    ),
    fold_without_gain=bug(
        "The gain is missing: scale = weight / sqrt(running_var + eps) with the norm's weight.",
        {"batch_norm.weight": "1"},
        symptom="Right for an untrained norm; of a trained one each output is off by a factor.",
    ),
    fold_without_shift=bug(
        "The norm's shift is missing: add batch_norm.bias at the end.",
        {" + batch_norm.bias": ""},
        symptom="Right for an untrained norm; of a trained one each output is off by a number.",
    ),
    fold_without_linear_bias=bug(
        "The Linear's own bias is missing. Useless in training, it is part of the running mean, so "
        "it can't be left out here.",
        {BIAS: "batch_norm.bias - batch_norm.running_mean * scale"},
        symptom="Right after a Linear without a bias; otherwise each output is off by a number.",
    ),
    fold_with_unscaled_linear_bias=bug(
        "The Linear's own bias is not scaled. It comes before the norm, so it is multiplied by "
        "scale as the weights are.",
        {CENTERED: "linear.bias - batch_norm.running_mean"},
        symptom="Right where the Linear's bias is 0; otherwise each output is off by a number.",
    ),
    fold_with_unscaled_mean=bug(
        "The running mean is not scaled. It is subtracted before the norm scales: (bias - "
        "running_mean) * scale.",
        {f"{CENTERED} * scale": "linear.bias * scale - batch_norm.running_mean"},
        symptom="Right where the running mean is 0; otherwise each output is off by a number.",
    ),
    fold_with_mean_added=bug(
        "The running mean is added. The norm subtracts it.",
        {"bias - ": "bias + "},
        symptom="The outputs are off by twice the effect of the running mean.",
    ),
    fold_without_bias=bug(
        "Only the weights are folded. The bias takes part too: (bias - running_mean) * scale + "
        "shift.",
        {BIAS: "linear.bias"},
        symptom="The weights are right, the bias is the one from before.",
    ),
    fold_without_weight=bug(
        "Only the bias is folded. Every row of the weights is multiplied by its scale.",
        {" * scale[:, None]": ""},
        symptom="The bias is right, the weights are those from before.",
    ),
    fold_scales_inputs=bug(
        "The scale multiplies the columns of the weights, which belong to the inputs. PyTorch's "
        "weight is (outputs, inputs), so each row has its scale: scale[:, None].",
        {"[:, None]": ""},
        symptom="It raises a shape error, except where the Linear is square; there the answers are "
        "wrong.",
    ),
    fold_overwrites_linear=bug(
        "It changes the Linear that it is given. Make a new one, or copy it first.",
        {
            "folded = nn.Linear(linear.in_features, linear.out_features)": "",
            "folded.weight.copy_(linear.weight * ": "linear.weight.mul_(",
            "folded.bias": "linear.bias",
            "return folded": "return linear",
        },
        symptom="The folded layer is right, but the network it came from gives other answers now.",
    ),
)
