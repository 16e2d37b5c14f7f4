"""What goes on inside a network: saturated and dead units, gradients, the size of the updates."""

import torch

from bn_tutorial.history import take_snapshots
from bn_tutorial.model import Model
from bn_tutorial.parallel import one_blas_thread
from bn_tutorial.statistics import check_contexts, check_statistics

SATURATED = 0.97  # |tanh| beyond this passes back less than 6% of the gradient


def probe(run, contexts, targets, statistics=None):
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
    check_contexts(run, contexts)
    symbols = len(run.parameters["output.bias"])
    if targets.shape != contexts.shape[:1] or not ((targets >= 0) & (targets < symbols)).all():
        raise ValueError(
            f"targets: expected {len(contexts)} indices from 0 to {symbols - 1}, got shape "
            f"{tuple(targets.shape)} with values from {targets.min()} to {targets.max()}"
        )
    if statistics is not None:
        check_statistics(run, statistics)
    model = Model(run.recipe, [run.parameters], statistics)
    with one_blas_thread:
        return take_snapshots(model, contexts.numpy(), targets.numpy(), step=len(run.loss))[0]


def saturation(activations, threshold=SATURATED):
    """Say for each unit which share of the examples drives it into tanh's flat ends.

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
    return (activations.abs() > threshold).float().mean(dim=0)


def dead_units(activations, threshold=SATURATED):
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


def gradient_flow(snapshot):
    """Give the size of the gradient at each layer's output, from the input side to the loss.

    Parameters
    ----------
    snapshot : Snapshot

    Returns
    -------
    dict of str to float
        Layer name to the standard deviation of the gradient over examples and units.
    """
    return {
        name: snapshot.output_gradients[name].double().std().item() for name in snapshot.outputs
    }


def update_to_data(snapshot, learning_rate):
    """Compare what a step of SGD changes with what is there, weight by weight.

    ``log10(learning_rate * std(gradient) / std(parameter))``. About -3 is a common rule of thumb;
    far above, the weights are thrown about, far below, they hardly learn.

    Parameters
    ----------
    snapshot : Snapshot
    learning_rate : float

    Returns
    -------
    dict of str to float
        For the embedding and the weights of the Linears.
    """
    matrices = {name: data for name, data in snapshot.parameters.items() if data.ndim == 2}
    return {
        name: (learning_rate * snapshot.gradients[name].std() / data.std()).log10().item()
        for name, data in matrices.items()
    }


def smooth(loss, window):
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
    if window < 1:
        raise ValueError(f"window: expected at least 1 step, got {window}")
    windows = loss[: len(loss) // window * window].reshape(-1, window)
    return torch.arange(len(windows)) * window + (window - 1) / 2, windows.mean(dim=1)
