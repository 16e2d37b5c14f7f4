"""Wrong losses of models that only count: ``uniform_loss`` and ``bigram_loss``."""
# ruff: noqa: D103 -- code that is shown: its docstring would tell too much

import math

import torch

from bn_tutorial.checks.bugs.bug import bugs_from, named


def uniform_loss(size):
    return math.log(size)


def bigram_loss(train, held_out, size, k):
    counts = torch.full((size, size), float(k), dtype=torch.float64)
    for before, target in train.tolist():
        counts[before, target] += 1
    p = counts / counts.sum(dim=1, keepdim=True)
    losses = -p[held_out[:, 0], held_out[:, 1]].log()
    return losses.mean().item()


ROWS = "counts.sum(dim=1, keepdim=True)"

bug = bugs_from(uniform_loss, check="uniform_loss", chapter="01_dataset")

BUGS = named(
    loss_in_bits=bug(
        "This is in bits: nats need the natural logarithm.",
        {"math.log": "math.log2"},
    ),
    logarithm_to_base_10=bug(
        "This is the logarithm to base 10.",
        {"math.log": "math.log10"},
    ),
    sign_of_the_loss=bug(
        "The sign is wrong: a loss is not negative.",
        {"math.log": "-math.log"},
    ),
    probability_instead_of_loss=bug(
        "This is the probability of each symbol: the loss is minus its logarithm.",
        {"math.log(size)": "1 / size"},
    ),
    perplexity_instead_of_loss=bug(
        "This is the perplexity: the loss is its logarithm.",
        {"math.log(size)": "float(size)"},
    ),
)

bug = bugs_from(bigram_loss, check="bigram_loss", chapter="01_dataset")

BUGS += named(
    loss_in_bits=bug(
        "This is in bits: nats need the natural logarithm.",
        {".log()": ".log2()"},
    ),
    counts_not_smoothed=bug(
        "The counts are not smoothed, so a pair that train never shows has probability 0 and an "
        "infinite loss: add k to every count.",
        {"float(k)": "0.0"},
    ),
    rows_do_not_sum_to_1=bug(
        "k is added to the counts, but not to what they are divided by: a row must sum to 1.",
        {"counts.sum": "(counts - k).sum"},
    ),
    k_added_once_to_a_row_sum=bug(
        "k is added once to a row's sum: each symbol got k, so the sum grows by k times size.",
        {ROWS: "((counts - k).sum(dim=1, keepdim=True) + k)"},
    ),
    k_ignored=bug(
        "Every count gets 1 more, whatever k says.",
        {"float(k)": "1.0"},
    ),
    only_empty_cells_smoothed=bug(
        "k is put only where the count is 0: add it to every count.",
        {"float(k)": "0.0", "p = counts": "counts[counts == 0] = k\np = counts"},
    ),
    loss_on_the_training_pairs=bug(
        "This is the loss on train: count there, but measure on held_out.",
        {"held_out[:, 0], held_out[:, 1]": "train[:, 0], train[:, 1]"},
    ),
    held_out_pairs_counted=bug(
        "The held-out pairs were counted too: the table has seen the answers.",
        {"train.tolist()": "train.tolist() + held_out.tolist()"},
    ),
    columns_for_rows=bug(
        "This is the probability of the symbol before, given the target: rows and columns are "
        "exchanged.",
        {"dim=1": "dim=0"},
    ),
    joint_probability=bug(
        "The whole table sums to 1: each row has to, since the symbol before is known.",
        {ROWS: "counts.sum()"},
    ),
    symbol_before_ignored=bug(
        "This is the unigram: look at the symbol before as well.",
        {
            f"p = counts / {ROWS}": "shares = (counts - k).sum(dim=0) + k\n"
            "p = (shares / shares.sum()).expand(size, size)"
        },
    ),
    sum_instead_of_mean=bug(
        "This is the sum over the pairs: the loss is their mean.",
        {".mean()": ".sum()"},
    ),
    mean_before_the_logarithm=bug(
        "Take the logarithm first, then the mean.",
        {"losses = -p": "found = p", ".log()": "", "losses.mean()": "-found.mean().log()"},
    ),
    sign_of_the_loss=bug(
        "The sign is wrong: a loss is not negative.",
        {"-p": "p"},
    ),
    perplexity_instead_of_loss=bug(
        "This is the perplexity: the loss is its logarithm.",
        {".mean()": ".mean().exp()"},
    ),
)
