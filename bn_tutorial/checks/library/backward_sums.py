"""Wrong backward passes, ``fn(dy, x, weight, eps) -> (dx, dweight, dbias)``: all the rest."""
# ruff: noqa: D103 -- the code is shown as a patient: a docstring would name the disease

from functools import partial

from bn_tutorial.checks.bug import Bug


def gain_gradient_without_x_hat(dy, x, weight, eps):
    inv_std = (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=0)
    dx = weight * inv_std * (dy - dy.mean(dim=0) - x_hat * (dy * x_hat).mean(dim=0))
    dweight = dy.sum(dim=0)
    return dx, dweight, dbias


def gain_gradient_with_x(dy, x, weight, eps):
    inv_std = (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=0)
    dx = weight * inv_std * (dy - dy.mean(dim=0) - x_hat * (dy * x_hat).mean(dim=0))
    dweight = (dy * x).sum(dim=0)
    return dx, dweight, dbias


def gain_gradient_with_centered(dy, x, weight, eps):
    inv_std = (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=0)
    dx = weight * inv_std * (dy - dy.mean(dim=0) - x_hat * (dy * x_hat).mean(dim=0))
    dweight = (dy * (x - x.mean(dim=0))).sum(dim=0)
    return dx, dweight, dbias


def gain_gradient_with_gain(dy, x, weight, eps):
    inv_std = (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=0)
    dx = weight * inv_std * (dy - dy.mean(dim=0) - x_hat * (dy * x_hat).mean(dim=0))
    dweight = weight * (dy * x_hat).sum(dim=0)
    return dx, dweight, dbias


def gradients_averaged(dy, x, weight, eps):
    inv_std = (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.mean(dim=0)
    dweight = (dy * x_hat).mean(dim=0)
    dx = weight * inv_std * (dy - dbias - x_hat * dweight)
    return dx, dweight, dbias


def shift_gradient_averaged(dy, x, weight, eps):
    inv_std = (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.mean(dim=0)
    dweight = (dy * x_hat).sum(dim=0)
    dx = weight * inv_std * (dy - dbias - x_hat * dweight / len(x))
    return dx, dweight, dbias


def gain_gradient_averaged(dy, x, weight, eps):
    inv_std = (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=0)
    dweight = (dy * x_hat).mean(dim=0)
    dx = weight * inv_std * (dy - dbias / len(x) - x_hat * dweight)
    return dx, dweight, dbias


def gradients_not_summed(dy, x, weight, eps):
    inv_std = (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy
    dweight = dy * x_hat
    dx = weight * inv_std * (dy - dbias.mean(dim=0) - x_hat * dweight.mean(dim=0))
    return dx, dweight, dbias


def gradients_exchanged(dy, x, weight, eps):
    inv_std = (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=0)
    dweight = (dy * x_hat).sum(dim=0)
    dx = weight * inv_std * (dy - dbias / len(x) - x_hat * dweight / len(x))
    return dx, dbias, dweight


def backward_sums_per_example(dy, x, weight, eps):
    inv_std = (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=1)
    dweight = (dy * x_hat).sum(dim=1)
    dx = weight * inv_std * (dy - dy.mean(dim=0) - x_hat * (dy * x_hat).mean(dim=0))
    return dx, dweight, dbias


def backward_per_example(dy, x, weight, eps):
    inv_std = (x.var(dim=1, correction=0, keepdim=True) + eps) ** -0.5
    x_hat = (x - x.mean(dim=1, keepdim=True)) * inv_std
    dbias = dy.sum(dim=0)
    dweight = (dy * x_hat).sum(dim=0)
    g = dy * weight
    shared, sized = g.mean(dim=1, keepdim=True), (g * x_hat).mean(dim=1, keepdim=True)
    dx = inv_std * (g - shared - x_hat * sized)
    return dx, dweight, dbias


def backward_eps_ignored(dy, x, weight, eps):
    inv_std = x.var(dim=0, correction=0) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=0)
    dweight = (dy * x_hat).sum(dim=0)
    dx = weight * inv_std * (dy - dbias / len(x) - x_hat * dweight / len(x))
    return dx, dweight, dbias


def backward_eps_outside_root(dy, x, weight, eps):
    inv_std = 1 / (x.std(dim=0, correction=0) + eps)
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=0)
    dweight = (dy * x_hat).sum(dim=0)
    dx = weight * inv_std * (dy - dbias / len(x) - x_hat * dweight / len(x))
    return dx, dweight, dbias


def backward_eps_hard_coded(dy, x, weight, eps):
    inv_std = (x.var(dim=0, correction=0) + 1e-5) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=0)
    dweight = (dy * x_hat).sum(dim=0)
    dx = weight * inv_std * (dy - dbias / len(x) - x_hat * dweight / len(x))
    return dx, dweight, dbias


def upstream_overwritten(dy, x, weight, eps):
    inv_std = (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=0)
    dweight = (dy * x_hat).sum(dim=0)
    dy *= weight
    dx = inv_std * (dy - dy.mean(dim=0) - x_hat * (dy * x_hat).mean(dim=0))
    return dx, dweight, dbias


bug = partial(Bug, check="batch_norm_backward", chapter="07_backward_pass")

BUGS = (
    bug(
        name="gain_gradient_without_x_hat",
        symptom="dweight and dbias are the same numbers.",
        explanation="dweight is the sum of dy. The gain multiplies x_hat, so it is the sum of "
        "dy * x_hat.",
        code=gain_gradient_without_x_hat,
    ),
    bug(
        name="gain_gradient_with_x",
        symptom="dweight changes when x is measured in another unit, though y does not.",
        explanation="dweight is taken with x or the centered x. The gain multiplies x_hat, so it "
        "is the sum of dy * x_hat.",
        code=gain_gradient_with_x,
        variants=(gain_gradient_with_centered,),
    ),
    bug(
        name="gain_gradient_with_gain",
        symptom="At the start of training dweight is right; later a unit with a large gain gets "
        "too large a dweight.",
        explanation="dweight is multiplied by weight. The gain's gradient does not contain the "
        "gain: it is the sum of dy * x_hat.",
        code=gain_gradient_with_gain,
    ),
    bug(
        name="gradients_averaged",
        symptom="dx is right; gain or shift learn too slowly, by a factor of the batch size.",
        explanation="dweight or dbias is a mean over the batch. It is a sum: dy already contains "
        "the 1 / B of a mean loss.",
        code=gradients_averaged,
        variants=(shift_gradient_averaged, gain_gradient_averaged),
    ),
    bug(
        name="gradients_not_summed",
        symptom="dweight and dbias have a row for each example.",
        explanation="dweight and dbias are not summed. Every example uses the same gain and "
        "shift, so their gradients are sums over the batch: dim=0.",
        code=gradients_not_summed,
    ),
    bug(
        name="gradients_exchanged",
        symptom="dx is right; the gain moves as the shift should, and the shift as the gain.",
        explanation="The order of the results is (dx, dweight, dbias).",
        code=gradients_exchanged,
    ),
    bug(
        name="backward_sums_per_example",
        symptom="dweight and dbias have as many numbers as the batch has examples.",
        explanation="dweight and dbias are summed over the units. There is one gain and one shift "
        "a unit, used by all examples: sum over the batch, dim=0.",
        code=backward_sums_per_example,
    ),
    bug(
        name="backward_per_example",
        symptom="dx of one example does not depend on the gradients of its batch-mates.",
        explanation="The statistics and their terms are taken over the units of each example "
        "(layer norm). Batch norm takes them over the batch: dim=0.",
        code=backward_per_example,
    ),
    bug(
        name="backward_eps_ignored",
        symptom="dx and dweight are too large where x has a tiny spread, and right elsewhere.",
        explanation="eps is missing: the forward pass divided by sqrt(var + eps), so the backward "
        "pass does too.",
        code=backward_eps_ignored,
    ),
    bug(
        name="backward_eps_outside_root",
        symptom="dx and dweight are off where eps is not small beside the variance.",
        explanation="eps is added to the standard deviation. It belongs inside the root: "
        "1 / sqrt(var + eps).",
        code=backward_eps_outside_root,
    ),
    bug(
        name="backward_eps_hard_coded",
        symptom="The gradients do not depend on the eps that is passed.",
        explanation="eps is always 1e-5, whatever is passed. Use the argument.",
        code=backward_eps_hard_coded,
    ),
    bug(
        name="upstream_overwritten",
        symptom="All is right, but calling it again with the same dy gives other gradients.",
        explanation="It changes dy in place, and dy belongs to the caller. Write dy * weight to a "
        "new tensor.",
        code=upstream_overwritten,
    ),
)
