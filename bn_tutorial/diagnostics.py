"""What goes on inside a network: saturated and dead units, gradients, the size of the updates."""

import torch
from torch import Tensor

from bn_tutorial._expect import expect_integer, expect_kind, expect_number
from bn_tutorial.network import Network
from bn_tutorial.run import Run, Snapshot, take_snapshot
from bn_tutorial.statistics import Statistics, check_statistics

SATURATED = 0.97  # |tanh| beyond this passes back less than 6% of the gradient


def probe(
    run: Run, contexts: Tensor, targets: Tensor, statistics: Statistics | None = None
) -> Snapshot:
    """Send one batch through a trained network, forward and backward.

    Parameters
    ----------
    run : Run
    contexts, targets : integer Tensors (B, T) and (B,)
    statistics : Statistics, optional
        For BatchNorm to normalize with. Without them it uses the batch's own, as in training.

    Returns
    -------
    Snapshot

    Examples
    --------
    >>> import bn_tutorial as bn
    >>> dataset = bn.Dataset.from_words(bn.load_words())
    >>> start = bn.train(dataset, bn.Recipe(norm=None, steps=0))
    >>> snapshot = probe(start, dataset.train.contexts[:500], dataset.train.targets[:500])
    >>> snapshot.outputs["tanh.0"].shape
    torch.Size([500, 100])
    """
    expect_kind("run", run, Run)
    if statistics is not None:
        check_statistics(run, statistics)
    network = Network(run.recipe, run.parameters, statistics)
    return take_snapshot(network, *network.check(contexts, targets), step=len(run.loss))


def saturation(activations: Tensor, threshold: float = SATURATED) -> Tensor:
    """Return for each unit which share of the examples drives it into tanh's flat ends.

    Parameters
    ----------
    activations : Tensor (B, H)
        Outputs of a tanh.
    threshold : float
        An activation counts as saturated where its absolute value is larger.

    Returns
    -------
    Tensor (H,)
        Shares from 0 to 1.

    Examples
    --------
    >>> saturation(torch.tensor([[0.99, 0.5], [-0.99, 0.98]]))
    tensor([1.0000, 0.5000])
    """
    expect_kind("activations", activations, Tensor)
    return (activations.abs() > expect_number("threshold", threshold)).float().mean(dim=0)


def dead_units(activations: Tensor, threshold: float = SATURATED) -> int:
    """Count the units that every example saturates: almost no gradient gets through them.

    Parameters
    ----------
    activations : Tensor (B, H)
    threshold : float

    Returns
    -------
    int
    """
    return int((saturation(activations, threshold) == 1).sum())


def gradient_flow(snapshot: Snapshot) -> dict[str, float]:
    """Return the size of the gradient at each layer's output, from the input side to the loss.

    Parameters
    ----------
    snapshot : Snapshot

    Returns
    -------
    dict of str to float
        Layer name to the standard deviation of the gradient over examples and units.
    """
    expect_kind("snapshot", snapshot, Snapshot)
    return {
        name: snapshot.output_gradients[name].double().std().item() for name in snapshot.outputs
    }


def update_to_data(snapshot: Snapshot, learning_rate: float) -> dict[str, float]:
    """Compare what a step of SGD changes with what is there, weight by weight.

    ``log10(learning_rate * std(gradient) / std(parameter))``. About -3 is a common rule of thumb;
    far above, the weights are thrown about, far below, they hardly learn.

    Parameters
    ----------
    snapshot : Snapshot
    learning_rate : float
        Of the step: of a schedule, ``schedule(snapshot.step)``.

    Returns
    -------
    dict of str to float
        For the embedding and the weights of the Linears.
    """
    expect_kind("snapshot", snapshot, Snapshot)
    rate = expect_number("learning_rate", learning_rate, 0)
    return {
        name: (rate * snapshot.gradients[name].std() / data.std()).log10().item()
        for name, data in snapshot.parameters.items()
        if data.ndim == 2
    }


def smooth(loss: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Average the losses of consecutive steps, ``window`` at a time.

    A rest that does not fill a window is left out.

    Parameters
    ----------
    loss : Tensor (steps,)
    window : int

    Returns
    -------
    tuple of Tensor (steps // window,)
        The middle step of each window, and its mean loss.

    Examples
    --------
    >>> smooth(torch.tensor([4.0, 2.0, 3.0, 1.0, 9.0]), 2)
    (tensor([0.5000, 2.5000]), tensor([3., 2.]))
    """
    expect_kind("loss", loss, Tensor)
    if loss.ndim != 1:
        raise ValueError(f"loss: expected that of one run, (steps,), got {tuple(loss.shape)}")
    window = expect_integer("window", window, 1)
    windows = loss[: len(loss) // window * window].reshape(-1, window)
    return torch.arange(len(windows)) * window + (window - 1) / 2, windows.mean(dim=1)
