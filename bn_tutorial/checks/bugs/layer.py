"""Wrong layers, ``cls(num_features, eps, momentum)``: how they normalize, and in which mode."""
# ruff: noqa: D101 -- code that is shown: its docstring would tell too much

from functools import partial

import torch
from torch import nn

from bn_tutorial.checks.bugs.bug import Bug


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

bug = partial(Bug, check="batch_norm_layer", chapter="10_in_pytorch", right=BatchNorm)

BUGS = (
    bug(
        name="layer_per_example",
        chapter="03_batch_norm",
        symptom="In training the outputs of one example do not depend on its batch-mates.",
        explanation="In training the statistics are taken over the units of each example. Batch "
        "norm takes them over the batch, for each unit: dim=0.",
        edits={
            BATCH: "mean, var = x.mean(dim=1, keepdim=True), "
            "x.var(dim=1, correction=0, keepdim=True)",
            REMEMBER: REMEMBER_X,
        },
    ),
    bug(
        name="layer_whole_array",
        chapter="03_batch_norm",
        symptom="In training the units of the output have different means and spreads, though "
        "gain is 1 and shift 0.",
        explanation="There is one mean and one variance for the whole array. Every unit has its "
        "own: dim=0.",
        edits={
            BATCH: "mean, var = x.mean(), x.var(correction=0)",
            "dim=0, correction=1": "correction=1",
        },
    ),
    bug(
        name="layer_unbiased",
        symptom="In training every output is too small by the same factor; large batches hardly "
        "show it.",
        explanation="It normalizes with the variance of correction 1. nn.BatchNorm1d normalizes "
        "with correction 0 and remembers correction 1.",
        edits={", correction=0": "", "x.var(dim=0, correction=1)": "var"},
    ),
    bug(
        name="layer_cancelling_variance",
        symptom="All is well for numbers around 0; far from it training is noise, or NaN.",
        explanation="The variance is computed as E[x**2] - E[x]**2. With a large mean that is the "
        "difference of two huge, nearly equal numbers, and few digits of it are right. Subtract "
        "the mean first, then square.",
        edits={BATCH: "mean = x.mean(dim=0)\nvar = (x**2).mean(dim=0) - mean**2"},
    ),
    bug(
        name="layer_statistics_detached",
        chapter="07_backward_pass",
        symptom="The outputs are right; dx is dy times one number a unit.",
        explanation="Mean and variance are detached, so no gradient flows through them. In "
        "training they are computed from x, and two terms of dx come that way.",
        edits={BATCH: f"{BATCH}\nmean, var = mean.detach(), var.detach()"},
    ),
    bug(
        name="layer_mean_detached",
        chapter="07_backward_pass",
        symptom="The outputs are right, but dx does not sum to 0 over the batch.",
        explanation="The mean is detached, so no gradient flows through it. In training it is "
        "computed from x.",
        edits={BATCH: f"{BATCH}\nmean = mean.detach()"},
    ),
    bug(
        name="layer_variance_detached",
        chapter="07_backward_pass",
        symptom="The outputs are right, but something of dy along x_hat is left in dx.",
        explanation="The variance is detached, so no gradient flows through it. In training it is "
        "computed from x.",
        edits={BATCH: f"{BATCH}\nvar = var.detach()"},
    ),
    bug(
        name="layer_eps_ignored",
        symptom="A unit that is the same for a whole batch comes out as NaN.",
        explanation="eps is not used. It is added to the variance, inside the root, in training "
        "and in eval mode.",
        edits={"(var + self.eps)": "var"},
    ),
    bug(
        name="layer_eps_outside_root",
        symptom="With a tiny spread the outputs are too large, with a large eps too small.",
        explanation="eps is added to the standard deviation. It belongs inside the root: sqrt(var "
        "+ eps).",
        edits={"(var + self.eps).sqrt()": "(var.sqrt() + self.eps)"},
    ),
    bug(
        name="layer_eps_hard_coded",
        symptom="Layers that were made with different eps do the same.",
        explanation="eps is always 1e-5, whatever the layer is made with. Keep the argument and "
        "use it.",
        edits={
            "self.eps, self.momentum = eps, momentum": "self.momentum = momentum",
            "+ self.eps": "+ 1e-5",
        },
    ),
    bug(
        name="eps_only_in_training",
        symptom="Training looks right; in eval mode units with a tiny variance are too large.",
        explanation="In eval mode eps is missing. It is added to the running variance just as to "
        "the batch's.",
        edits={
            REMEMBER: f"{REMEMBER}\nstd = (var + self.eps).sqrt()",
            RUNNING: "mean, std = self.running_mean, self.running_var.sqrt()",
            "(var + self.eps).sqrt()": "std",
        },
    ),
    bug(
        name="layer_gain_unused",
        chapter="03_batch_norm",
        symptom="The gain's gradient is None and it never moves.",
        explanation="The gain is not used: x_hat is to be multiplied by it.",
        edits={"self.weight * ": ""},
    ),
    bug(
        name="layer_shift_unused",
        chapter="03_batch_norm",
        symptom="The shift's gradient is None and it never moves.",
        explanation="The shift is not used: it is to be added at the end.",
        edits={" + self.bias": ""},
    ),
    bug(
        name="layer_input_overwritten",
        symptom="The outputs are right, but whoever reads the layer's input afterwards finds "
        "other numbers.",
        explanation="It changes x in place, and x belongs to the layer before. Write x - mean to "
        "a new tensor.",
        edits={"return self.weight * (x - mean)": "x -= mean\nreturn self.weight * x"},
    ),
    bug(
        name="batch_statistics_in_eval",
        chapter="04_calibration",
        symptom="In eval mode a prediction depends on what it is read with, and a single example "
        "gives the shift.",
        explanation="In eval mode it still normalizes with the batch's own statistics. There it "
        "has to use the running ones.",
        edits={
            "if self.training:": f"{BATCH}\nif self.training:",
            BATCH: "",
            "else:": "",
            RUNNING: "",
        },
    ),
    bug(
        name="running_statistics_in_training",
        chapter="05_running_statistics",
        symptom="In training the units of the output have neither mean 0 nor variance 1, least of "
        "all at first.",
        explanation="In training it normalizes with the running statistics. There it has to use "
        "the batch's own, with the gradients through them.",
        edits={BATCH: REMEMBER_X, REMEMBER: "", f"else:\n            {RUNNING}": RUNNING},
        others=(
            {
                "if self.training:": f"{COPIES}\nif self.training:",
                BATCH: REMEMBER_X,
                REMEMBER: "",
                "else:": "",
                RUNNING: "",
            },
        ),
    ),
    bug(
        name="modes_exchanged",
        chapter="05_running_statistics",
        symptom="In eval mode a prediction depends on its batch-mates, in training it does not.",
        explanation="Training and eval mode are exchanged: the batch's own statistics belong to "
        "training, the running ones to eval.",
        edits={BATCH: RUNNING, REMEMBER: REMEMBER_X, RUNNING: BATCH},
    ),
    bug(
        name="mode_guessed_from_grad",
        symptom="layer.eval() alone changes nothing; under torch.no_grad() everything looks right.",
        explanation="It takes the mode from torch.is_grad_enabled(). Gradients and mode are two "
        "switches: ask self.training.",
        edits={"self.training": "torch.is_grad_enabled()"},
    ),
    bug(
        name="updates_in_eval",
        symptom="Evaluating twice gives two results, and a single example turns everything to NaN.",
        explanation="The running statistics are updated in eval mode too. Only training may move "
        "them.",
        edits={REMEMBER: "", RUNNING: COPIES, "return": f"{REMEMBER_X}\nreturn"},
        others=({"if self.training:": f"{REMEMBER_X}\nif self.training:", REMEMBER: ""},),
    ),
)
