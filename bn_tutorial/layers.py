"""The network's layers: a forward pass, and a backward pass derived by hand.

Each layer works on NumPy arrays with a leading run axis R, so that a sweep trains R networks
in the same operations. NumPy, because a step of this network is some fifty operations on small
arrays and torch's overhead for each is several times NumPy's; ``torch.from_numpy`` shares the
memory, so everything public is still a torch tensor.

``forward`` keeps what ``backward`` needs. ``backward`` takes the gradient of the loss with
respect to the output, writes the parameters' gradients into their ``grad`` and returns the
gradient with respect to the input. Results live in buffers that the next call overwrites:
copy what has to last.

Three habits are for speed alone: every large result has an ``out=``; a sum over the batch is a
product with a row of ones, which the matrix library does three times as fast as ``np.sum`` at
these sizes; and what is the same for many steps (where in an array something stands) is worked
out ahead.

The tests hold every output and gradient here against autograd and ``torch.nn``.
"""

import numpy as np


class Parameter:
    """An array that is trained, and the gradient of the loss with respect to it.

    Parameters
    ----------
    data : ndarray (R, ...)
        The values.
    grad : ndarray (R, ...), optional
        Where ``backward`` writes the gradient; allocated if it is not given.
    """

    __slots__ = ("data", "grad")

    def __init__(self, data, grad=None):
        self.data = data
        self.grad = np.zeros_like(data) if grad is None else grad


class Layer:
    """What the layers share: buffers are allocated when an input has a new shape."""

    _shape = None

    def _fit(self, x):
        if x.shape != self._shape:
            self._shape = x.shape
            self._allocate(x)


class Embedding(Layer):
    """A trained vector for each symbol; the vectors of a context stand side by side.

    ``y[r, b] = concat(weight[r, contexts[r, b, 0]], ..., weight[r, contexts[r, b, T - 1]])``

    Parameters
    ----------
    weight : Parameter (R, V, E)
    """

    def __init__(self, weight):
        self.weight = weight

    def places(self, contexts):
        """Find where in ``weight.data.ravel()`` the numbers of each context stand.

        Parameters
        ----------
        contexts : integer ndarray (..., R, B, T)
            The leading axes allow many batches to be prepared at once.

        Returns
        -------
        integer ndarray (..., R, B, T * E)
        """
        runs, symbols, dim = self.weight.data.shape
        run = np.arange(runs)[:, None, None]  # (R, 1, 1)
        first = (run * symbols + contexts) * dim  # (..., R, B, T)
        *leading, block = first.shape
        return (first[..., None] + np.arange(dim)).reshape(*leading, block * dim)

    def _allocate(self, places):
        self._y = np.empty(places.shape, self.weight.data.dtype)

    def forward(self, places):
        """``places`` (R, B, T * E) -> (R, B, T * E)."""
        self._fit(places)
        self._places = places
        # mode: the default buffers its output, in case an index turns out to be wrong
        return np.take(self.weight.data, places, out=self._y, mode="clip")

    def backward(self, dy):
        """(R, B, T * E) -> None: a symbol's gradient sums over the places where it stood."""
        grad = self.weight.grad
        total = np.bincount(self._places.ravel(), dy.ravel(), grad.size)
        grad[...] = total.reshape(grad.shape)


class Linear(Layer):
    """``y = x @ weight + bias``.

    Parameters
    ----------
    weight : Parameter (R, I, O)
        Inputs by outputs: the transpose of ``nn.Linear.weight``.
    bias : Parameter (R, 1, O), optional
    batch_last : bool
        The order of y in memory, not its shape. True puts the examples of one output side by
        side, which makes the softmax over few outputs twice as fast.
    """

    def __init__(self, weight, bias=None, *, batch_last=False):
        self.weight, self.bias, self.batch_last = weight, bias, batch_last

    def _allocate(self, x):
        runs, batch, _ = x.shape
        outputs = self.weight.data.shape[2]
        if self.batch_last:
            self._y = np.empty((runs, outputs, batch), x.dtype).transpose(0, 2, 1)
        else:
            self._y = np.empty((runs, batch, outputs), x.dtype)
        self._dx = np.empty_like(x)
        self._ones = np.ones((1, batch), x.dtype)

    def forward(self, x):
        """(R, B, I) -> (R, B, O)."""
        self._fit(x)
        self._x = x
        y = np.matmul(x, self.weight.data, out=self._y)
        if self.bias:
            y += self.bias.data
        return y

    def backward(self, dy):
        """(R, B, O) -> (R, B, I)."""
        np.matmul(self._x.transpose(0, 2, 1), dy, out=self.weight.grad)
        if self.bias:
            np.matmul(self._ones, dy, out=self.bias.grad)
        return np.matmul(dy, self.weight.data.transpose(0, 2, 1), out=self._dx)


class BatchNorm(Layer):
    """Batch normalization: every unit gets mean 0 and variance 1 over the batch.

    ``x_hat = (x - mean) / sqrt(var + eps)`` and ``y = weight * x_hat + bias``, where ``mean`` and
    ``var`` are a unit's mean and variance over the B examples of the batch.

    Parameters
    ----------
    weight, bias : Parameter (R, 1, H)
        Gain and shift.
    correction : {1, 0}
        The variance divides by ``B - correction``. ``nn.BatchNorm1d`` normalizes with 0.
    eps : float
        Added to the variance, inside the root.
    statistics : tuple of two ndarrays (R, 1, H), optional
        A mean and a standard deviation (without eps) to normalize with instead of the batch's
        own, as in evaluation. The backward pass then treats them as constants.

    Attributes
    ----------
    mean, std : ndarray (R, 1, H)
        The statistics that the last forward pass used; ``std`` is without eps.

    References
    ----------
    Ioffe and Szegedy 2015, "Batch Normalization", arXiv:1502.03167, algorithms 1 and 2.
    """

    def __init__(self, weight, bias, *, correction=1, eps=0.0, statistics=None):
        self.weight, self.bias = weight, bias
        self.correction, self.eps, self.statistics = correction, eps, statistics

    def _allocate(self, x):
        self._centered, self._y, self._dx = (np.empty_like(x) for _ in range(3))
        n = x.shape[1]
        self._ones = np.ones((1, n), x.dtype)
        self._average = self._ones / n
        if self.statistics is None:
            self._variance = self._ones / (n - self.correction)

    def forward(self, x):
        """(R, B, H) -> (R, B, H)."""
        self._fit(x)
        centered, y = self._centered, self._y
        if self.statistics is None:
            self.mean = np.matmul(self._average, x)  # (R, B, H) -> (R, 1, H)
            np.subtract(x, self.mean, out=centered)
            np.multiply(centered, centered, out=y)
            self.std = np.sqrt(np.matmul(self._variance, y))
        else:
            self.mean, self.std = self.statistics
            np.subtract(x, self.mean, out=centered)
        self._scale = np.hypot(self.std, self.eps**0.5) if self.eps else self.std
        self._gain = self.weight.data / self._scale
        np.multiply(centered, self._gain, out=y)  # weight * x_hat
        y += self.bias.data
        return y

    def backward(self, dy):
        """(R, B, H) -> (R, B, H), through the batch's mean and variance as well."""
        centered, dx, n = self._centered, self._dx, dy.shape[1]
        dweight, dbias = self.weight.grad, self.bias.grad
        np.matmul(self._ones, dy, out=dbias)
        np.multiply(dy, centered, out=dx)
        np.divide(np.matmul(self._ones, dx), self._scale, out=dweight)
        if self.statistics is not None:
            return np.multiply(dy, self._gain, out=dx)
        # dx = weight / scale * (dy - mean(dy) - x_hat * dweight / (n - correction))
        np.multiply(centered, dweight / (self._scale * (n - self.correction)), out=dx)
        dx += dbias / n
        np.subtract(dy, dx, out=dx)
        dx *= self._gain
        return dx


class LayerNorm(Layer):
    """Layer normalization: every example gets mean 0 and variance 1 over its units.

    ``x_hat = (x - mean) / sqrt(var + eps)`` and ``y = weight * x_hat + bias``, where ``mean`` and
    ``var`` are an example's mean and variance (divided by H) over its H units. Other examples
    play no part.

    Parameters
    ----------
    weight, bias : Parameter (R, 1, H)
        Gain and shift.
    eps : float
        Added to the variance, inside the root.

    References
    ----------
    Ba, Kiros and Hinton 2016, "Layer Normalization", arXiv:1607.06450, equations 3 and 4.
    """

    def __init__(self, weight, bias, *, eps=1e-5):
        self.weight, self.bias, self.eps = weight, bias, eps

    def _allocate(self, x):
        self._x_hat, self._y, self._dx, self._dx_hat = (np.empty_like(x) for _ in range(4))
        self._ones = np.ones((1, x.shape[1]), x.dtype)
        self._average = np.full((x.shape[2], 1), 1 / x.shape[2], x.dtype)

    def forward(self, x):
        """(R, B, H) -> (R, B, H)."""
        self._fit(x)
        x_hat, y = self._x_hat, self._y
        np.subtract(x, np.matmul(x, self._average), out=x_hat)
        np.multiply(x_hat, x_hat, out=y)
        self._scale = np.sqrt(np.matmul(y, self._average) + self.eps)  # (R, B, 1)
        x_hat /= self._scale
        np.multiply(x_hat, self.weight.data, out=y)
        y += self.bias.data
        return y

    def backward(self, dy):
        """(R, B, H) -> (R, B, H), through the example's mean and variance as well."""
        x_hat, dx, dx_hat = self._x_hat, self._dx, self._dx_hat
        np.matmul(self._ones, dy, out=self.bias.grad)
        np.multiply(dy, x_hat, out=dx)
        np.matmul(self._ones, dx, out=self.weight.grad)
        np.multiply(dy, self.weight.data, out=dx_hat)
        # dx = (dx_hat - mean(dx_hat) - x_hat * mean(dx_hat * x_hat)) / scale
        np.multiply(dx_hat, x_hat, out=dx)
        np.multiply(x_hat, np.matmul(dx, self._average), out=dx)
        dx += np.matmul(dx_hat, self._average)
        np.subtract(dx_hat, dx, out=dx)
        dx /= self._scale
        return dx


class Tanh(Layer):
    """``y = tanh(x)``, whose derivative is ``1 - y**2``."""

    def _allocate(self, x):
        self._y, self._dx = np.empty_like(x), np.empty_like(x)

    def forward(self, x):
        """(R, B, H) -> (R, B, H)."""
        self._fit(x)
        return np.tanh(x, out=self._y)

    def backward(self, dy):
        """(R, B, H) -> (R, B, H)."""
        dx = np.multiply(self._y, self._y, out=self._dx)
        np.subtract(1, dx, out=dx)
        dx *= dy
        return dx


class CrossEntropy(Layer):
    """The loss: minus the logarithm of the target's probability, mean over the batch, in nats.

    ``loss[r] = mean_b(log(sum_v exp(logits[r, b, v])) - logits[r, b, targets[r, b]])``
    """

    @staticmethod
    def places(targets, symbols):
        """Find where in an array (R, V, B), flattened, the logit of each target stands.

        Parameters
        ----------
        targets : integer ndarray (..., R, B)
            The leading axes allow many batches to be prepared at once.
        symbols : int
            V, the number of logits of an example.

        Returns
        -------
        integer ndarray (..., R, B)
        """
        runs, batch = targets.shape[-2:]
        run = np.arange(runs)[:, None]
        return (run * symbols + targets) * batch + np.arange(batch)

    def _allocate(self, logits):
        runs, batch, symbols = logits.shape
        self._flat = np.empty(logits.size, logits.dtype)
        self._p = self._flat.reshape(runs, symbols, batch).transpose(0, 2, 1)  # (R, B, V)
        self._ones = np.ones((symbols, 1), logits.dtype)
        self._average = np.full((batch, 1), 1 / batch, logits.dtype)

    def forward(self, logits, places):
        """(R, B, V) and (R, B) -> (R,): the loss of each run."""
        self._fit(logits)
        p, self._places = self._p, places
        # less the largest: exp can't overflow, and neither loss nor gradient changes
        np.subtract(logits, np.maximum.reduce(logits, axis=2, keepdims=True), out=p)
        at_target = self._flat.take(places)  # (R, B)
        np.exp(p, out=p)
        self._total = np.matmul(p, self._ones)  # (R, B, V) -> (R, B, 1)
        loss = np.log(self._total[..., 0]) - at_target  # (R, B)
        return np.matmul(loss[:, None], self._average)[:, 0, 0]

    def backward(self):
        """Return the gradient with respect to the logits, (R, B, V): (softmax - one hot) / B."""
        p, batch = self._p, self._p.shape[1]
        p /= self._total * batch
        self._flat[self._places] -= 1 / batch
        return p
