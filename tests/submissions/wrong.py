"""Answers that are wrong or don't run, as students hand them in."""

from submissions.base import (
    ALL,
    RIGHT,
    WITHOUT_FORWARD,
    Case,
    forward,
    inside,
    with_own_cell,
    wrong,
)


def known_bugs():
    mean = "mean = x.mean(0)\nvar = x.var(0, unbiased=False)"
    answer = "return weight * (x - mean) / torch.sqrt(var + eps) + bias"
    axis = "mean = x.mean(1, keepdim=True)\nvar = x.var(1, unbiased=False, keepdim=True)"
    unbiased = mean.replace("unbiased=False", "unbiased=True")
    no_eps = answer.replace(" + eps", "")
    return {
        "wrong_axis": wrong(inside(axis, answer), kind="known bug", bug="per_example"),
        "n_minus_1": wrong(inside(unbiased, answer), kind="known bug", bug="unbiased_variance"),
        "no_eps": wrong(inside(mean, no_eps), kind="known bug", bug="eps_ignored"),
        "in_place": wrong(
            inside(
                "x -= x.mean(0)",
                "return weight * x / (x.var(0, unbiased=False) + eps).sqrt() + bias",
            ),
            "changes",
            kind="known bug",
            bug="input_overwritten",
        ),
        "stub": wrong(inside("...", "..."), "not attempted", kind="not attempted"),
        "not_implemented": wrong(
            inside("", "raise NotImplementedError"), "not attempted", kind="not attempted"
        ),
        "half": wrong(RIGHT.replace("return ", "return 0.5 * ")),
    }


def broken_code():
    return {
        "raises": wrong(inside("raise ValueError('boom')"), "ValueError: boom", "line 2"),
        "exits": wrong(inside("raise SystemExit(0)"), "SystemExit"),
        "syntax_error": wrong("def batch_norm_forward(x:\n", "SyntaxError", kind="undefined"),
        "raises_before": Case(forward("1 / 0\n" + RIGHT), ALL),
        "raises_in_the_definition": wrong(
            RIGHT.replace("eps)", "eps=1 / 0)", 1), "ZeroDivisionError", "line 2", kind="undefined"
        ),
        "raises_after": Case(forward(RIGHT + "\n1 / 0"), ALL),
        "no_function": wrong("forward = 1", "defines no function", kind="undefined"),
        "no_tensor": wrong(inside("", "return 'y'"), "str"),
        "nan": wrong(inside("", "return x * float('nan')"), "nan"),
        "huge": wrong(inside("", "return torch.zeros(3000, 3000)"), "Tensor of 9000000 numbers"),
        "recursion": wrong(
            inside("", "return batch_norm_forward(x, weight, bias, eps)"), "RecursionError"
        ),
        "magic": Case(forward("%matplotlib inline\n!ls\n" + RIGHT + "\nbatch_norm_forward?"), ALL),
        "helper_in_own_cell": Case(
            with_own_cell(
                "def mean_of(x): return x.mean(0)\n1 / 0", RIGHT.replace("x.mean(0)", "mean_of(x)")
            ),
            ALL,
        ),
        "failed_in_own_cell": Case(
            with_own_cell("axis = int('no')", RIGHT.replace("mean(0)", "mean(axis)")),
            WITHOUT_FORWARD,
            ("NameError", "the cell 1 of your own, which sets axis, failed", "invalid literal"),
            "wrong",
        ),
    }
