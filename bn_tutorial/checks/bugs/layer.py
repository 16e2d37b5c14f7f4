"""Wrong layers, ``cls(num_features, eps, momentum)``: how they normalize, and in which mode."""
# ruff: noqa: D101 -- code that is shown: its docstring would tell too much

import torch
from torch import nn

from bn_tutorial.checks.bugs.bug import bugs_from, named


class BatchNorm(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x):
        if self.training:
            mean, var = x.mean(dim=0), x.var(dim=0, correction=0)
            self.remember(mean, x.var(dim=0, correction=1))
        else:
            mean, var = self.running_mean, self.running_var
        return self.weight * (x - mean) / (var + self.eps).sqrt() + self.bias

    @torch.no_grad()
    def remember(self, mean, var):
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var - self.running_var)


BATCH = "mean, var = x.mean(dim=0), x.var(dim=0, correction=0)"
RUNNING = "mean, var = self.running_mean, self.running_var"
COPIES = "mean, var = self.running_mean.clone(), self.running_var.clone()"
REMEMBER = "self.remember(mean, x.var(dim=0, correction=1))"
REMEMBER_X = "self.remember(x.mean(dim=0), x.var(dim=0, correction=1))"

bug = bugs_from(BatchNorm, check="batch_norm_layer", chapter="10_in_pytorch")

BUGS = named(
    layer_per_example=bug(
        "In training the statistics are taken over the units of each example. Batch norm takes "
        "them over the batch, for each unit: dim=0.",
        {
            BATCH: "mean, var = x.mean(dim=1, keepdim=True), "
            "x.var(dim=1, correction=0, keepdim=True)",
            REMEMBER: REMEMBER_X,
        },
        symptom="In training the outputs of one example do not depend on its batch-mates.",
        chapter="03_batch_norm",
    ),
    layer_whole_array=bug(
        "There is one mean and one variance for the whole array. Every unit has its own: dim=0.",
        {BATCH: "mean, var = x.mean(), x.var(correction=0)", "dim=0, correction=1": "correction=1"},
        symptom="In training the units of the output have different means and spreads, though gain "
        "is 1 and shift 0.",
        chapter="03_batch_norm",
    ),
    layer_unbiased=bug(
        "It normalizes with the variance of correction 1. nn.BatchNorm1d normalizes with "
        "correction 0 and remembers correction 1.",
        {", correction=0": "", "x.var(dim=0, correction=1)": "var"},
        symptom="In training every output is too small by the same factor; large batches hardly "
        "show it.",
    ),
    layer_cancelling_variance=bug(
        "The variance is computed as E[x**2] - E[x]**2. With a large mean that is the difference "
        "of two huge, nearly equal numbers, and few digits of it are right. Subtract the mean "
        "first, then square.",
        {BATCH: "mean = x.mean(dim=0)\nvar = (x**2).mean(dim=0) - mean**2"},
        symptom="All is well for numbers around 0; far from it training is noise, or NaN.",
    ),
    layer_statistics_detached=bug(
        "Mean and variance are detached, so no gradient flows through them. In training they are "
        "computed from x, and two terms of dx come that way.",
        {BATCH: f"{BATCH}\nmean, var = mean.detach(), var.detach()"},
        symptom="The outputs are right; dx is dy times one number a unit.",
        chapter="07_backward_pass",
    ),
    layer_mean_detached=bug(
        "The mean is detached, so no gradient flows through it. In training it is computed from x.",
        {BATCH: f"{BATCH}\nmean = mean.detach()"},
        symptom="The outputs are right, but dx does not sum to 0 over the batch.",
        chapter="07_backward_pass",
    ),
    layer_variance_detached=bug(
        "The variance is detached, so no gradient flows through it. In training it is computed "
        "from x.",
        {BATCH: f"{BATCH}\nvar = var.detach()"},
        symptom="The outputs are right, but something of dy along x_hat is left in dx.",
        chapter="07_backward_pass",
    ),
    layer_eps_ignored=bug(
        "eps is not used. It is added to the variance, inside the root, in training and in eval "
        "mode.",
        {"(var + self.eps)": "var"},
        symptom="A unit that is the same for a whole batch comes out as NaN.",
    ),
    layer_eps_outside_root=bug(
        "eps is added to the standard deviation. It belongs inside the root: sqrt(var + eps).",
        {"(var + self.eps).sqrt()": "(var.sqrt() + self.eps)"},
        symptom="With a tiny spread the outputs are too large, with a large eps too small.",
    ),
    layer_eps_hard_coded=bug(
        "eps is always 1e-5, whatever the layer is made with. Keep the argument and use it.",
        {
            "self.eps, self.momentum = eps, momentum": "self.momentum = momentum",
            "+ self.eps": "+ 1e-5",
        },
        symptom="Layers that were made with different eps do the same.",
    ),
    eps_only_in_training=bug(
        "In eval mode eps is missing. It is added to the running variance just as to the batch's.",
        {
            REMEMBER: f"{REMEMBER}\nstd = (var + self.eps).sqrt()",
            RUNNING: "mean, std = self.running_mean, self.running_var.sqrt()",
            "(var + self.eps).sqrt()": "std",
        },
        symptom="Training looks right; in eval mode units with a tiny variance are too large.",
    ),
    layer_gain_unused=bug(
        "The gain is not used: x_hat is to be multiplied by it.",
        {"self.weight * ": ""},
        symptom="The gain's gradient is None and it never moves.",
        chapter="03_batch_norm",
    ),
    layer_shift_unused=bug(
        "The shift is not used: it is to be added at the end.",
        {" + self.bias": ""},
        symptom="The shift's gradient is None and it never moves.",
        chapter="03_batch_norm",
    ),
    layer_input_overwritten=bug(
        "It changes x in place, and x belongs to the layer before. Write x - mean to a new tensor.",
        {"return self.weight * (x - mean)": "x -= mean\nreturn self.weight * x"},
        symptom="The outputs are right, but whoever reads the layer's input afterwards finds other "
        "numbers.",
    ),
    batch_statistics_in_eval=bug(
        "In eval mode it still normalizes with the batch's own statistics. There it has to use the "
        "running ones.",
        {"if self.training:": f"{BATCH}\nif self.training:", BATCH: "", "else:": "", RUNNING: ""},
        symptom="In eval mode a prediction depends on what it is read with, and a single example "
        "gives the shift.",
        chapter="04_calibration",
    ),
    running_statistics_in_training=bug(
        "In training it normalizes with the running statistics. There it has to use the batch's "
        "own, with the gradients through them.",
        {BATCH: REMEMBER_X, REMEMBER: "", f"else:\n            {RUNNING}": RUNNING},
        {
            "if self.training:": f"{COPIES}\nif self.training:",
            BATCH: REMEMBER_X,
            REMEMBER: "",
            "else:": "",
            RUNNING: "",
        },
        symptom="In training the units of the output have neither mean 0 nor variance 1, least of "
        "all at first.",
        chapter="05_running_statistics",
    ),
    modes_exchanged=bug(
        "Training and eval mode are exchanged: the batch's own statistics belong to training, the "
        "running ones to eval.",
        {BATCH: RUNNING, REMEMBER: REMEMBER_X, RUNNING: BATCH},
        symptom="In eval mode a prediction depends on its batch-mates, in training it does not.",
        chapter="05_running_statistics",
    ),
    mode_guessed_from_grad=bug(
        "It takes the mode from torch.is_grad_enabled(). Gradients and mode are two switches: ask "
        "self.training.",
        {"self.training": "torch.is_grad_enabled()"},
        symptom="layer.eval() alone changes nothing; under torch.no_grad() everything looks right.",
    ),
    updates_in_eval=bug(
        "The running statistics are updated in eval mode too. Only training may move them.",
        {REMEMBER: "", RUNNING: COPIES, "return": f"{REMEMBER_X}\nreturn"},
        {"if self.training:": f"{REMEMBER_X}\nif self.training:", REMEMBER: ""},
        symptom="Evaluating twice gives two results, and a single example turns everything to NaN.",
    ),
)
