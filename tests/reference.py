"""The network of a recipe in plain torch: what the package is held against."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import bn_tutorial as bn


def draw(recipe, symbols=28, block_size=3, generator=None):
    """Draw the parameters as the seed recipe says it: dict of str to Tensor."""
    generator = generator or torch.Generator().manual_seed(recipe.seed)

    def randn(*shape, gain=1.0):
        return (gain * torch.randn(shape, generator=generator)).to(recipe.dtype)

    p = {"embedding": randn(symbols, recipe.embedding)}
    for i in range(recipe.depth):
        fan_in = recipe.hidden if i else block_size * recipe.embedding
        p[f"hidden.{i}.weight"] = randn(fan_in, recipe.hidden, gain=recipe.hidden_gain)
        if recipe.hidden_bias:
            p[f"hidden.{i}.bias"] = randn(recipe.hidden, gain=recipe.hidden_gain)
        if recipe.norm:
            p[f"norm.{i}.weight"] = torch.ones(recipe.hidden, dtype=recipe.dtype)
            p[f"norm.{i}.bias"] = torch.zeros(recipe.hidden, dtype=recipe.dtype)
    p["output.weight"] = randn(recipe.hidden, symbols, gain=recipe.output_gain)
    p["output.bias"] = randn(symbols, gain=recipe.output_gain)
    return p


def outputs(recipe, p, contexts, statistics=None):
    """Return the output of every layer, under the names of a Snapshot."""
    x = F.embedding(contexts, p["embedding"]).flatten(1)
    outputs = {"embedding": x}
    for i in range(recipe.depth):
        bias = p.get(f"hidden.{i}.bias")
        x = outputs[f"hidden.{i}"] = F.linear(x, p[f"hidden.{i}.weight"].T, bias)
        if recipe.placement == "after":
            x = outputs[f"tanh.{i}"] = x.tanh()
        if recipe.norm:
            fixed = statistics and (statistics.mean[i], statistics.std[i])
            affine = p[f"norm.{i}.weight"], p[f"norm.{i}.bias"]
            x = outputs[f"norm.{i}"] = _normalize(recipe, x, *affine, fixed)
        if recipe.placement == "before":
            x = outputs[f"tanh.{i}"] = x.tanh()
    outputs["output"] = F.linear(x, p["output.weight"].T, p["output.bias"])
    return outputs


def _normalize(recipe, x, weight, bias, fixed):
    if recipe.norm == "layer":
        return F.layer_norm(x, x.shape[1:], weight, bias, recipe.eps)
    if fixed:
        mean, var = fixed[0].to(x.dtype), fixed[1].to(x.dtype) ** 2
    elif recipe.correction == 0 and recipe.eps:  # torch has no other
        return F.batch_norm(x, None, None, weight, bias, training=True, eps=recipe.eps)
    else:
        var, mean = torch.var_mean(x, dim=0, correction=recipe.correction)
    return weight * (x - mean) / (var + recipe.eps).sqrt() + bias


def read(run, contexts, statistics=None):
    """Return the output of every layer of a trained network, in float64."""
    parameters = {name: tensor.double() for name, tensor in run.parameters.items()}
    return outputs(run.recipe, parameters, contexts, statistics)


def losses(run, split, rows=slice(None), statistics=None):
    """Return the loss of each of some examples of a split: float64 Tensor."""
    logits = read(run, split.contexts[rows], statistics)["output"]
    return F.cross_entropy(logits, split.targets[rows], reduction="none")


def statistics(run, contexts):
    """Measure what comes to each norm, as one batch: Statistics in float64."""
    y, normed = read(run, contexts), "hidden" if run.recipe.placement == "before" else "tanh"
    x = [y[f"{normed}.{i}"] for i in range(run.recipe.depth)]
    stds = [one.std(dim=0, correction=run.recipe.correction) for one in x]
    return bn.Statistics([one.mean(dim=0) for one in x], stds)


def there_and_back(recipe, parameters, contexts, targets, statistics=None):
    """Let autograd go back to all outputs and parameters: Snapshot."""
    p = {name: tensor.clone().requires_grad_() for name, tensor in parameters.items()}
    y = outputs(recipe, p, contexts, statistics)
    loss = F.cross_entropy(y["output"], targets)
    gradients = torch.autograd.grad(loss, [*y.values(), *p.values()])
    return bn.Snapshot(
        step=-1,
        loss=loss.item(),
        outputs={name: tensor.detach() for name, tensor in y.items()},
        output_gradients=dict(zip(y, gradients, strict=False)),
        parameters=parameters,
        gradients=dict(zip(p, gradients[len(y) :], strict=True)),
    )


def step(recipe, parameters, contexts, targets, rate):
    """Make one step of SGD: the loss before it, and the parameters after it."""
    there = there_and_back(recipe, parameters, contexts, targets)
    new = {name: p - rate * there.gradients[name] for name, p in parameters.items()}
    return there, new


def probe(dataset, examples=256):
    """Take training examples at equal distances: contexts and targets."""
    places = np.linspace(0, len(dataset.train) - 1, examples).astype(int)
    return dataset.train.contexts[places], dataset.train.targets[places]


def train(dataset, recipe):
    """Return the losses, the parameters, and each batch's mean and std of each norm's input."""
    generator = torch.Generator().manual_seed(recipe.seed)
    p = draw(recipe, len(dataset.vocabulary), dataset.block_size, generator)
    split, normed = dataset.train, "hidden" if recipe.placement == "before" else "tanh"
    losses, mean, std = [], [], []
    for rate in recipe.learning_rates().tolist():
        batch = torch.randint(0, len(split), (recipe.batch_size,), generator=generator)
        there, p = step(recipe, p, split.contexts[batch], split.targets[batch], rate)
        x = torch.stack([there.outputs[f"{normed}.{i}"] for i in range(recipe.depth)])
        losses.append(there.loss)
        mean.append(x.mean(1))
        std.append(x.std(1, correction=recipe.correction))
    return torch.tensor(losses, dtype=recipe.dtype), p, torch.stack(mean, 1), torch.stack(std, 1)


def of_run(run, contexts, targets, statistics=None):
    """Let autograd go back through a trained network: Snapshot."""
    return there_and_back(run.recipe, run.parameters, contexts, targets, statistics)


def assert_same_snapshot(snapshot, other, atol=1e-10):
    assert snapshot.loss == pytest.approx(other.loss, abs=atol)
    for name in ("outputs", "output_gradients", "parameters", "gradients"):
        mine, others = vars(snapshot)[name], vars(other)[name]
        assert list(mine) == list(others)
        assert not any(tensor.requires_grad for tensor in mine.values())
        torch.testing.assert_close(mine, others, atol=atol, rtol=0, equal_nan=True)


def assert_same_run(run, other, atol=0.0):
    assert (run.recipe, run.diverged_at) == (other.recipe, other.diverged_at)
    kept = ("loss", "parameters", "batch_mean", "batch_std")
    for mine, others in [(vars(run)[name], vars(other)[name]) for name in kept]:
        assert (mine is None) == (others is None)
        if mine is not None:
            torch.testing.assert_close(mine, others, atol=atol, rtol=0, equal_nan=True)
    assert len(run.snapshots) == len(other.snapshots)
    for mine, others in zip(run.snapshots, other.snapshots, strict=True):
        assert_same_snapshot(mine, others, atol)
