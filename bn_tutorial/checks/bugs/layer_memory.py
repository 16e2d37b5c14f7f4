"""Wrong layers, ``cls(num_features, eps, momentum)``: what they remember, and how they keep it."""

from bn_tutorial.checks.bugs.bug import bugs_from, named
from bn_tutorial.checks.bugs.layer import REMEMBER, RUNNING, BatchNorm

GAIN = "self.weight = nn.Parameter(torch.ones(num_features))"
SHIFT = "self.bias = nn.Parameter(torch.zeros(num_features))"
MEAN_BUFFER = 'self.register_buffer("running_mean", torch.zeros(num_features))'
VAR_BUFFER = 'self.register_buffer("running_var", torch.ones(num_features))'
MEAN_STEP = "self.running_mean += self.momentum * (mean - self.running_mean)"
VAR_STEP = "self.running_var += self.momentum * (var - self.running_var)"

bug = bugs_from(BatchNorm, check="batch_norm_layer", chapter="05_running_statistics")

BUGS = named(
    running_variance_never_updated=bug(
        "The running variance is never updated and stays 1. It moves as the running mean does.",
        {VAR_STEP: ""},
        symptom="Training looks right; in eval mode the units are centered but keep their spread.",
    ),
    running_mean_never_updated=bug(
        "The running mean is never updated and stays 0. It moves as the running variance does.",
        {MEAN_STEP: ""},
        symptom="Training looks right; in eval mode the units are off their center by what they "
        "had as a mean.",
    ),
    never_remembers=bug(
        "The running statistics are never updated. Every training batch moves them.",
        {REMEMBER: ""},
        symptom="Training looks right; in eval mode the layer does what it did before training.",
    ),
    layer_momentum_reversed=bug(
        "The momentum is reversed: in PyTorch it is the weight of the new batch, in Keras that of "
        "the old value.",
        {
            MEAN_STEP: "self.running_mean *= self.momentum\n"
            "self.running_mean += (1 - self.momentum) * mean",
            VAR_STEP: "self.running_var *= self.momentum\n"
            "self.running_var += (1 - self.momentum) * var",
        },
        symptom="With the default momentum the results in eval mode follow the last batch.",
    ),
    layer_momentum_hard_coded=bug(
        "The momentum is always 0.1, whatever the layer is made with. Keep the argument and use "
        "it.",
        {
            "self.eps, self.momentum = eps, momentum": "self.eps = eps",
            "self.momentum * (mean": "0.1 * (mean",
            "self.momentum * (var": "0.1 * (var",
        },
        symptom="Layers that were made with different momenta remember the same.",
    ),
    last_batch_remembered=bug(
        "The last batch replaces the running statistics. Mix old and new: (1 - momentum) * running "
        "+ momentum * batch.",
        {MEAN_STEP: "self.running_mean.copy_(mean)", VAR_STEP: "self.running_var.copy_(var)"},
        symptom="The results in eval mode depend on the very last training batch alone.",
    ),
    running_variance_biased=bug(
        "The running variance is made of variances with correction 0. nn.BatchNorm1d normalizes "
        "with correction 0, but remembers correction 1, which is right on average.",
        {"x.var(dim=0, correction=1)": "var"},
        symptom="Training looks right; in eval mode the outputs are a little too large, more so "
        "after small batches.",
        chapter="10_in_pytorch",
    ),
    std_for_running_variance=bug(
        "The running variance is fed with standard deviations. Feed it with variances.",
        {"(var - self.running_var)": "(var.sqrt() - self.running_var)"},
        symptom="Training looks right; in eval mode units with a large spread come out too large.",
    ),
    std_averaged=bug(
        "It averages the batches' standard deviations, as the course's recipe does. nn.BatchNorm1d "
        "averages their variances, which is not the same: the square of a mean is not the mean of "
        "squares.",
        {
            '"running_var"': '"running_std"',
            RUNNING: "mean, var = self.running_mean, self.running_std**2",
            VAR_STEP: "self.running_std += self.momentum * (var.sqrt() - self.running_std)",
        },
        symptom="Training looks right; in eval mode the outputs are slightly off, less so the more "
        "the batches resemble each other.",
    ),
    running_variance_starts_at_zero=bug(
        "The running variance starts at 0. It starts at 1, as the running mean starts at 0.",
        {'"running_var", torch.ones': '"running_var", torch.zeros'},
        symptom="Before training, and shortly after its start, the outputs in eval mode are "
        "enormous.",
    ),
    running_mean_starts_at_one=bug(
        "The running mean starts at 1. It starts at 0; the running variance starts at 1.",
        {'"running_mean", torch.zeros': '"running_mean", torch.ones'},
        symptom="Early in training the outputs in eval mode are off by a number; it fades away.",
    ),
    first_batch_taken_whole=bug(
        "The first batch replaces the start of the running statistics. nn.BatchNorm1d starts at 0 "
        "and 1 and gives every batch, the first one too, the weight momentum.",
        {
            "momentum = eps, momentum": "momentum, self.empty = eps, momentum, True",
            MEAN_STEP: "m = 1.0 if self.empty else self.momentum\n"
            "self.running_mean += m * (mean - self.running_mean)",
            VAR_STEP: "self.running_var += m * (var - self.running_var)\nself.empty = False",
        },
        symptom="After one training step the results in eval mode are far from those of "
        "nn.BatchNorm1d, after many equal.",
    ),
    buffers_keep_graph=bug(
        "The running statistics keep the graph of every batch since the start. Update them under "
        "torch.no_grad(), or from detached tensors.",
        {
            "@torch.no_grad()": "",
            MEAN_STEP: "self.running_mean = "
            "(1 - self.momentum) * self.running_mean + self.momentum * mean",
            VAR_STEP: "self.running_var = "
            "(1 - self.momentum) * self.running_var + self.momentum * var",
        },
        symptom="All outputs are right, but memory grows with every step of training.",
        chapter="10_in_pytorch",
    ),
    buffers_not_registered=bug(
        "The running statistics are not in state_dict: they are plain attributes, or buffers with "
        "persistent=False. Use register_buffer.",
        {
            MEAN_BUFFER: "self.running_mean = torch.zeros(num_features)",
            VAR_BUFFER: "self.running_var = torch.ones(num_features)",
        },
        {
            ", torch.zeros(num_features)": ", torch.zeros(num_features), persistent=False",
            ", torch.ones(num_features)": ", torch.ones(num_features), persistent=False",
        },
        symptom="All is right until the network is saved and loaded: then the results in eval mode "
        "are those of an untrained norm.",
        chapter="10_in_pytorch",
    ),
    parameters_not_registered=bug(
        "Gain and shift are plain tensors or buffers, so parameters() does not give them to the "
        "optimizer. Wrap them in nn.Parameter.",
        {
            GAIN: "self.weight = torch.ones(num_features, requires_grad=True)",
            SHIFT: "self.bias = torch.zeros(num_features, requires_grad=True)",
        },
        {
            GAIN: "self.weight = torch.ones(num_features)",
            SHIFT: "self.bias = torch.zeros(num_features)",
        },
        {
            GAIN: 'self.register_buffer("weight", torch.ones(num_features))',
            SHIFT: 'self.register_buffer("bias", torch.zeros(num_features))',
        },
        symptom="The layer runs, but gain and shift never move from 1 and 0.",
        chapter="10_in_pytorch",
    ),
    running_statistics_trained=bug(
        "The running statistics are parameters. They are not trained: use register_buffer.",
        {
            MEAN_BUFFER: "self.running_mean = nn.Parameter(torch.zeros(num_features))",
            VAR_BUFFER: "self.running_var = nn.Parameter(torch.ones(num_features))",
        },
        symptom="The optimizer has twice as many numbers to train, and weight decay pulls the "
        "results in eval mode away.",
        chapter="10_in_pytorch",
    ),
)

# a patient of the clinic; it is not among BUGS, for the check knows nothing of it
(STALE_BIAS,) = named(
    stale_bias=bug(
        "In eval mode a bias is added that was not there when the statistics were measured. Fixed "
        "statistics belong to one way of computing x: add it always or never.",
        {
            VAR_BUFFER: f"{VAR_BUFFER}\n"
            "self.b1 = torch.randn(num_features, generator=torch.Generator().manual_seed(23))",
            "else:": "else:\n    x = x + self.b1",
        },
        symptom="Training looks right and so do the running statistics; in eval mode every unit is "
        "off by a number of its own.",
    )
)
