"""Wrong losses of models that only count: ``uniform_loss`` and ``bigram_loss``."""
# ruff: noqa: D103 -- code that is shown: its docstring would tell too much

import math
from functools import partial

import torch

from bn_tutorial.checks.bugs.bug import Bug


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

of_uniform = partial(Bug, check="uniform_loss", chapter="01_dataset", right=uniform_loss)
of_bigram = partial(Bug, check="bigram_loss", chapter="01_dataset", right=bigram_loss)

BUGS = (
    of_uniform(
        name="loss_in_bits",
        explanation="This is in bits: nats need the natural logarithm.",
        edits={"math.log": "math.log2"},
    ),
    of_uniform(
        name="logarithm_to_base_10",
        explanation="This is the logarithm to base 10.",
        edits={"math.log": "math.log10"},
    ),
    of_uniform(
        name="sign_of_the_loss",
        explanation="The sign is wrong: a loss is not negative.",
        edits={"math.log": "-math.log"},
    ),
    of_uniform(
        name="probability_instead_of_loss",
        explanation="This is the probability of each symbol: the loss is minus its logarithm.",
        edits={"math.log(size)": "1 / size"},
    ),
    of_uniform(
        name="perplexity_instead_of_loss",
        explanation="This is the perplexity: the loss is its logarithm.",
        edits={"math.log(size)": "float(size)"},
    ),
    of_bigram(
        name="loss_in_bits",
        explanation="This is in bits: nats need the natural logarithm.",
        edits={".log()": ".log2()"},
    ),
    of_bigram(
        name="counts_not_smoothed",
        explanation="The counts are not smoothed, so a pair that train never shows has "
        "probability 0 and an infinite loss: add k to every count.",
        edits={"float(k)": "0.0"},
    ),
    of_bigram(
        name="rows_do_not_sum_to_1",
        explanation="k is added to the counts, but not to what they are divided by: a row must "
        "sum to 1.",
        edits={"counts.sum": "(counts - k).sum"},
    ),
    of_bigram(
        name="k_added_once_to_a_row_sum",
        explanation="k is added once to a row's sum: each symbol got k, so the sum grows by k "
        "times size.",
        edits={ROWS: "((counts - k).sum(dim=1, keepdim=True) + k)"},
    ),
    of_bigram(
        name="k_ignored",
        explanation="Every count gets 1 more, whatever k says.",
        edits={"float(k)": "1.0"},
    ),
    of_bigram(
        name="only_empty_cells_smoothed",
        explanation="k is put only where the count is 0: add it to every count.",
        edits={"float(k)": "0.0", "p = counts": "counts[counts == 0] = k\np = counts"},
    ),
    of_bigram(
        name="loss_on_the_training_pairs",
        explanation="This is the loss on train: count there, but measure on held_out.",
        edits={"held_out[:, 0], held_out[:, 1]": "train[:, 0], train[:, 1]"},
    ),
    of_bigram(
        name="held_out_pairs_counted",
        explanation="The held-out pairs were counted too: the table has seen the answers.",
        edits={"train.tolist()": "train.tolist() + held_out.tolist()"},
    ),
    of_bigram(
        name="columns_for_rows",
        explanation="This is the probability of the symbol before, given the target: rows and "
        "columns are exchanged.",
        edits={"dim=1": "dim=0"},
    ),
    of_bigram(
        name="joint_probability",
        explanation="The whole table sums to 1: each row has to, since the symbol before is known.",
        edits={ROWS: "counts.sum()"},
    ),
    of_bigram(
        name="symbol_before_ignored",
        explanation="This is the unigram: look at the symbol before as well.",
        edits={
            f"p = counts / {ROWS}": "shares = (counts - k).sum(dim=0) + k\n"
            "p = (shares / shares.sum()).expand(size, size)"
        },
    ),
    of_bigram(
        name="sum_instead_of_mean",
        explanation="This is the sum over the pairs: the loss is their mean.",
        edits={".mean()": ".sum()"},
    ),
    of_bigram(
        name="mean_before_the_logarithm",
        explanation="Take the logarithm first, then the mean.",
        edits={"losses = -p": "found = p", ".log()": "", "losses.mean()": "-found.mean().log()"},
    ),
    of_bigram(
        name="sign_of_the_loss",
        explanation="The sign is wrong: a loss is not negative.",
        edits={"-p": "p"},
    ),
    of_bigram(
        name="perplexity_instead_of_loss",
        explanation="This is the perplexity: the loss is its logarithm.",
        edits={".mean()": ".mean().exp()"},
    ),
)
