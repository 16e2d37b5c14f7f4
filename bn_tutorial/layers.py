"""The network's layers, compiled: a forward pass, and a backward pass derived by hand.

Every function works on (B, H) arrays, in loops that a reader can hold against the formula in the
docstring; Numba makes machine code of them.

``forward`` functions put the result where the signature says. ``backward`` functions get ``dy``,
the gradient of the loss with respect to the output, and the arrays for the gradients. What can
work in place does: arrays that stay in the cache are most of the speed.

All compiled code stands in this one file, since Numba keeps machine code on disk and compiles
again where the file of the function that was called has changed, but no other.
"""

import numba
import numpy as np
from numba.extending import overload

# By default Numba checks every division for zero, which keeps loops from using vector
# instructions. The fast mathematics are those that leave nan and inf alone.
OPTIONS = {"error_model": "numpy", "fastmath": {"reassoc", "contract", "arcp", "nsz", "afn"}}
HIDDEN, NORM, TANH = range(3)  # what is kept of a hidden layer, where it is asked for
compiled = numba.njit(cache=True, nogil=True, **OPTIONS)


def _cut_fraction(levels, dtype):
    """Return Lambert's ``tanh(x) = x / (1 + x**2 / (3 + ...))``, cut off: polynomials in x**2."""
    above, below = np.array([2.0 * levels - 1]), np.array([1.0])
    for odd in range(2 * levels - 3, 0, -2):
        above, below = np.polyadd(odd * above, np.append(below, 0.0)), above
    below = np.pad(below, (len(above) - len(below), 0))
    return tuple((p / above[-1]).astype(dtype) for p in (below, above))


FRACTION = {  # float type: the two, highest power first, and where tanh is 1 to the last digit
    numba.float32: (*_cut_fraction(13, np.float32), np.float32(9.02)),
    numba.float64: (*_cut_fraction(30, np.float64), np.float64(19.07)),
}


def _tanh(x):
    """Return tanh(x), as a polynomial over a polynomial: unlike np.tanh it can be vectorized."""


@overload(_tanh, jit_options=OPTIONS, inline="always")
def _tanh_of_type(x):
    numerator, denominator, end = FRACTION[x]
    one = type(end)(1)

    def tanh(x):
        z = min(max(x, -end), end)  # nan stays nan: both return their first argument then
        p, q = numerator[0], denominator[0]
        for i in range(1, len(numerator)):
            p = p * (z * z) + numerator[i]
            q = q * (z * z) + denominator[i]
        y = min(max(z * p / q, -one), one)
        return one if x > end else -one if x < -end else y  # exactly 1: no gradient passes

    return tanh


@compiled
def embedding_forward(weight, contexts, y):
    """Look up each row ``weight[contexts[b, t]]``: (V, E), (B, T) -> y (B, T * E)."""
    size = weight.shape[1]
    for b in range(contexts.shape[0]):
        for t in range(contexts.shape[1]):
            for e in range(size):
                y[b, t * size + e] = weight[contexts[b, t], e]


@compiled
def embedding_backward(dy, contexts, dweight):
    """Sum dy wherever the symbol v stood: (B, T * E), (B, T) -> ``dweight[v]`` (V, E)."""
    size = dweight.shape[1]
    dweight[:] = 0
    for b in range(contexts.shape[0]):
        for t in range(contexts.shape[1]):
            for e in range(size):
                dweight[contexts[b, t], e] += dy[b, t * size + e]


@compiled
def linear_forward(x, weight, bias, y):
    """``y = x @ weight + bias``: x (B, I), weight (I, O), bias (O,) or empty -> y (B, O)."""
    np.dot(x, weight, y)
    for b in range(y.shape[0]):
        for o in range(bias.size):
            y[b, o] += bias[o]


@compiled
def linear_backward(dy, x, weight, dweight, dbias, dx):
    """``dweight = x.T @ dy``, ``dbias = sum_b dy[b]`` and ``dx = dy @ weight.T``.

    dy (B, O), x (B, I), weight (I, O) -> dweight (I, O), dbias (O,) or empty, dx (B, I)
    """
    np.dot(x.T, dy, dweight)
    np.dot(dy, weight.T, dx)
    dbias[:] = 0
    for b in range(dy.shape[0]):
        for o in range(dbias.size):
            dbias[o] += dy[b, o]


@compiled
def batch_statistics(x, correction, mean, std):
    """``mean = sum_b x[b] / B``, ``std**2 = sum_b (x[b] - mean)**2 / (B - correction)``: (H,)."""
    batch, hidden = x.shape
    mean[:] = std[:] = 0
    for b in range(batch):
        for h in range(hidden):
            mean[h] += x[b, h]
    mean /= batch
    for b in range(batch):
        for h in range(hidden):
            std[h] += (x[b, h] - mean[h]) ** 2
    for h in range(hidden):
        std[h] = np.sqrt(std[h] / x.dtype.type(batch - correction))


@compiled
def batch_norm_forward(x, mean, std, weight, bias, eps, inv_std, y):
    """``x_hat = (x - mean) / sqrt(std**2 + eps)`` and ``y = weight * x_hat + bias``.

    x (B, H), becomes x_hat; mean, std, weight, bias (H,) -> inv_std (H,), y (B, H).
    ``mean`` and ``std`` are the batch's own in training, and any others in evaluation.
    Ioffe and Szegedy 2015, arXiv:1502.03167, algorithms 1 and 2.
    """
    for h in range(x.shape[1]):
        inv_std[h] = x.dtype.type(1) / np.sqrt(std[h] * std[h] + eps)
    for b in range(x.shape[0]):
        for h in range(x.shape[1]):
            x[b, h] = (x[b, h] - mean[h]) * inv_std[h]
            y[b, h] = weight[h] * x[b, h] + bias[h]


@compiled
def batch_norm_backward(dy, x_hat, weight, inv_std, correction, fixed, dweight, dbias):
    """``dx = weight * inv_std * (dy - dbias / B - x_hat * dweight / (B - correction))``.

    ``dweight = sum_b dy[b] * x_hat[b]`` and ``dbias = sum_b dy[b]``. Where the statistics are
    fixed, as in evaluation, nothing flows back through them and ``dx = weight * inv_std * dy``.
    dy (B, H), becomes dx; x_hat (B, H); weight, inv_std (H,) -> dweight (H,), dbias (H,)
    """
    batch, hidden = dy.shape
    dweight[:] = dbias[:] = 0
    for b in range(batch):
        for h in range(hidden):
            dweight[h] += dy[b, h] * x_hat[b, h]
            dbias[h] += dy[b, h]
    by_mean = dy.dtype.type(0 if fixed else 1 / batch)
    by_std = dy.dtype.type(0 if fixed else 1 / (batch - correction))
    for b in range(batch):
        for h in range(hidden):
            through = dbias[h] * by_mean + x_hat[b, h] * dweight[h] * by_std
            dy[b, h] = weight[h] * inv_std[h] * (dy[b, h] - through)


@compiled
def layer_norm_forward(x, weight, bias, eps, inv_std, y):
    """``x_hat = (x - mean) / sqrt(var + eps)`` and ``y = weight * x_hat + bias``.

    ``mean`` and ``var`` are each example's own, over its H units and divided by H.
    x (B, H), becomes x_hat; weight, bias (H,) -> inv_std (B,), y (B, H).
    Ba, Kiros and Hinton 2016, arXiv:1607.06450, equations 3 and 4.
    """
    one, units = x.dtype.type(1), x.dtype.type(x.shape[1])
    for b in range(x.shape[0]):
        mean, var = x.dtype.type(0), x.dtype.type(0)
        for h in range(x.shape[1]):
            mean += x[b, h]
        mean /= units
        for h in range(x.shape[1]):
            var += (x[b, h] - mean) ** 2
        inv_std[b] = one / np.sqrt(var / units + eps)
        for h in range(x.shape[1]):
            x[b, h] = (x[b, h] - mean) * inv_std[b]
            y[b, h] = weight[h] * x[b, h] + bias[h]


@compiled
def layer_norm_backward(dy, x_hat, weight, inv_std, dweight, dbias):
    """``dx = inv_std * (dx_hat - mean(dx_hat) - x_hat * mean(dx_hat * x_hat))``.

    ``dx_hat = weight * dy``, and the means are over an example's units. dy (B, H), becomes dx;
    x_hat (B, H), weight (H,), inv_std (B,) -> dweight (H,), dbias (H,)
    """
    units = dy.dtype.type(dy.shape[1])
    dweight[:] = dbias[:] = 0
    for b in range(dy.shape[0]):
        mean, product = dy.dtype.type(0), dy.dtype.type(0)
        for h in range(dy.shape[1]):
            dweight[h] += dy[b, h] * x_hat[b, h]
            dbias[h] += dy[b, h]
            dy[b, h] *= weight[h]  # dx_hat
            mean += dy[b, h]
            product += dy[b, h] * x_hat[b, h]
        for h in range(dy.shape[1]):
            through = (mean + x_hat[b, h] * product) / units
            dy[b, h] = inv_std[b] * (dy[b, h] - through)


@compiled
def tanh_forward(x):
    """``y = tanh(x)``: x (B, H), becomes y."""
    flat = x.reshape(-1)
    for k in range(flat.size):
        flat[k] = _tanh(flat[k])


@compiled
def tanh_backward(dy, y):
    """``dx = dy * (1 - y**2)``: dy (B, H), becomes dx; y (B, H)."""
    for b in range(y.shape[0]):
        for h in range(y.shape[1]):
            dy[b, h] *= y.dtype.type(1) - y[b, h] * y[b, h]


@compiled
def cross_entropy(logits, targets, losses):
    """``losses[b] = log(sum_v exp(logits[b, v])) - logits[b, targets[b]]``, in nats.

    logits (B, V) become the mean loss's gradient, ``(softmax - one_hot) / B``; targets, losses (B,)
    """
    batch, symbols = logits.shape
    one, quarter = logits.dtype.type(1), logits.dtype.type(0.25)
    for b in range(batch):  # less the largest: exp can't overflow, and the loss stays the same
        top = logits[b, 0]
        for v in range(symbols):
            top = max(top, logits[b, v])
        for v in range(symbols):
            logits[b, v] -= top
        losses[b] = -logits[b, targets[b]]
    flat = logits.reshape(-1)
    for k in range(flat.size):  # exp(x) = ((1 + t) / (1 - t))**2 with t = tanh(x / 4)
        t = _tanh(flat[k] * quarter)
        flat[k] = ((one + t) / (one - t)) ** 2
    share = logits.dtype.type(1 / batch)
    for b in range(batch):
        total = logits[b].sum()
        losses[b] += np.log(total)
        for v in range(symbols):
            logits[b, v] *= share / total
        logits[b, targets[b]] -= share


# the network: p its Parameters, g their gradients, net its Structure, a its Activations


@compiled
def _norm_forward(p, net, i, a):
    """Normalize ``a.x_hat[i]``, which holds the norm's input: -> ``a.y[i]``."""
    x, y = a.x_hat[i], a.y[i]
    if net.by_example:
        layer_norm_forward(x, p.gain[i], p.shift[i], net.eps, a.inv_std[i], y)
    else:
        if not net.fixed:
            batch_statistics(x, net.correction, a.mean[i], a.std[i])
        batch_norm_forward(x, a.mean[i], a.std[i], p.gain[i], p.shift[i], net.eps, a.inv_std[i], y)
    _keep(a.outputs, i, NORM, y)


@compiled
def _norm_backward(dy, p, g, net, i, a):
    _keep(a.gradients, i, NORM, dy)
    x_hat, gain, scale, dgain, dshift = a.x_hat[i], p.gain[i], a.inv_std[i], g.gain[i], g.shift[i]
    if net.by_example:
        layer_norm_backward(dy, x_hat, gain, scale, dgain, dshift)
    else:
        batch_norm_backward(dy, x_hat, gain, scale, net.correction, net.fixed, dgain, dshift)


@compiled
def hidden_forward(x, p, net, i, a):
    """Go through the i-th hidden layer, with its norm and tanh: x (B, I) -> ``a.y[i]`` (B, H)."""
    z = a.x_hat[i] if net.before else a.tanh[i]
    linear_forward(x, p.deeper[i - 1] if i else p.first, p.bias[i], z)
    _keep(a.outputs, i, HIDDEN, z)
    if net.before:
        _norm_forward(p, net, i, a)
    tanh_forward(a.tanh[i])
    _keep(a.outputs, i, TANH, a.tanh[i])
    if net.after:
        a.x_hat[i] = a.tanh[i]
        _norm_forward(p, net, i, a)


@compiled
def _keep(where, i, which, values):
    """Keep a copy of what a layer gave, if there is room for any: (L, 3, B, H), or empty."""
    if len(where):
        where[i, which] = values


@compiled
def forward(p, net, contexts, a):
    """Send a batch through the network: contexts (B, T) -> ``a.logits`` (B, V)."""
    embedding_forward(p.embedding, contexts, a.embedding)
    for i in range(len(a.y)):
        hidden_forward(a.y[i - 1] if i else a.embedding, p, net, i, a)
    linear_forward(a.y[-1], p.output, p.output_bias, a.logits)


@compiled
def backward(p, g, net, contexts, a):
    """Fill ``g``, after ``forward`` and ``cross_entropy``, which leaves dlogits in ``a.logits``."""
    depth = len(a.y)
    dy = a.dy[depth % 2]
    linear_backward(a.logits, a.y[-1], p.output, g.output, g.output_bias, dy)
    for i in range(depth - 1, -1, -1):
        if net.after:
            _norm_backward(dy, p, g, net, i, a)
        _keep(a.gradients, i, TANH, dy)
        tanh_backward(dy, a.tanh[i])
        if net.before:
            _norm_backward(dy, p, g, net, i, a)
        _keep(a.gradients, i, HIDDEN, dy)
        x, dx = (a.y[i - 1], a.dy[i % 2]) if i else (a.embedding, a.dembedding)
        weight, dweight = (p.deeper[i - 1], g.deeper[i - 1]) if i else (p.first, g.first)
        linear_backward(dy, x, weight, dweight, g.bias[i], dx)
        dy = dx
    embedding_backward(a.dembedding, contexts, g.embedding)


@compiled
def train_steps(p, g, net, data, grad, contexts, targets, batches, rates, a, losses, mean, std):
    """Make steps of plain SGD: for each a batch, forward, backward, ``data -= rate * grad``.

    data, grad (P,), the memory of p and g; contexts (N, T) and targets (N,), all examples;
    batches (S, B), which of them each step takes; rates (S,) -> losses (S,), each batch's mean loss
    before its update; mean, std (L, S, H) or empty, the batches' statistics.

    Returns the number of steps done: up to and with the first whose loss is not finite.
    """
    for s in range(len(batches)):
        for b in range(batches.shape[1]):
            a.contexts[b] = contexts[batches[s, b]]
            a.targets[b] = targets[batches[s, b]]
        forward(p, net, a.contexts, a)
        cross_entropy(a.logits, a.targets, a.losses)
        losses[s] = a.losses.mean()
        for i in range(len(mean)):
            mean[i, s] = a.mean[i]
            std[i, s] = a.std[i]
        if not np.isfinite(losses[s]):
            return s + 1
        backward(p, g, net, a.contexts, a)
        for k in range(data.size):
            data[k] -= rates[s] * grad[k]
    return len(batches)
