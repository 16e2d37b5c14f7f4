"""Wrong backward passes, ``fn(dy, x, weight, eps) -> (dx, dweight, dbias)``."""
# ruff: noqa: D103 -- code that is shown: its docstring would tell too much

from bn_tutorial.checks.bugs.bug import bugs_from, named


def backward(dy, x, weight, eps):
    inv_std = (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=0)
    dweight = (dy * x_hat).sum(dim=0)
    dx = weight * inv_std * (dy - dbias / len(x) - x_hat * dweight / len(x))
    return dx, dweight, dbias


BRACKET = "(dy - dbias / len(x) - x_hat * dweight / len(x))"
RESULTS = "return dx, dweight, dbias"

bug = bugs_from(backward, check="batch_norm_backward", chapter="07_backward_pass")

BUGS = named(
    statistics_detached=bug(
        "Mean and variance are treated as constants. They are computed from x, so dx has two more "
        "terms: through the mean and through the variance.",
        {BRACKET: "dy"},
        symptom="dweight and dbias are right; dx is dy times one number a unit.",
    ),
    mean_detached=bug(
        "The way through the mean is missing: subtract dbias / B inside the bracket.",
        {"dbias / len(x) - ": ""},
        symptom="dx does not sum to 0 over the batch, though a number added to all of x changes "
        "nothing.",
    ),
    variance_detached=bug(
        "The way through the variance is missing: subtract x_hat * dweight / B inside the bracket.",
        {" - x_hat * dweight / len(x)": ""},
        symptom="dx sums to 0 over the batch, but along x_hat there is something left of dy.",
    ),
    terms_added=bug(
        "A term has the wrong sign. Both the way through the mean and the one through the variance "
        "take something away from dy.",
        {"dy - dbias / len(x) - x_hat": "dy + dbias / len(x) + x_hat"},
        {"- x_hat": "+ x_hat"},
        {"- dbias": "+ dbias"},
        symptom="What all examples of dy have in common is doubled in dx instead of removed, or "
        "the part along x_hat is.",
    ),
    terms_summed=bug(
        "The two terms through the statistics are sums. They are means: divide dbias and dweight "
        "by B there.",
        {BRACKET: "(dy - dbias - x_hat * dweight)"},
        symptom="The larger the batch, the more dx is made of the other examples' gradients.",
    ),
    gain_left_out=bug(
        "The gain is missing in dx: dx_hat = weight * dy.",
        {"weight * inv_std": "inv_std"},
        symptom="At the start of training dx is right; later it is off by one factor a unit.",
    ),
    scale_left_out=bug(
        "The division by the standard deviation is missing in dx: multiply by 1 / sqrt(var + eps).",
        {"weight * inv_std": "weight"},
        symptom="dx does not get smaller when x is multiplied by a large number.",
    ),
    unbiased_backward=bug(
        "This is the backward pass of a variance with correction 1 (B - 1). Here the variance "
        "divides by B.",
        {", correction=0": "", "dweight / len(x)": "dweight / (len(x) - 1)"},
        symptom="All three gradients fit together, but they belong to another forward pass; in "
        "large batches one hardly sees it.",
    ),
    corrections_mixed=bug(
        "One place divides by B and another by B - 1. The variance and its term in dx belong "
        "together: here both divide by B.",
        {"dweight / len(x)": "dweight / (len(x) - 1)"},
        {", correction=0": ""},
        symptom="dx keeps a small share of dy along x_hat, about 1 / B of it.",
    ),
    gain_gradient_without_x_hat=bug(
        "dweight is the sum of dy. The gain multiplies x_hat, so it is the sum of dy * x_hat.",
        {RESULTS: "return dx, dy.sum(dim=0), dbias"},
        symptom="dweight and dbias are the same numbers.",
    ),
    gain_gradient_with_x=bug(
        "dweight is taken with x or the centered x. The gain multiplies x_hat, so it is the sum of "
        "dy * x_hat.",
        {RESULTS: "return dx, (dy * x).sum(dim=0), dbias"},
        {RESULTS: "return dx, (dy * (x - x.mean(dim=0))).sum(dim=0), dbias"},
        symptom="dweight changes when x is measured in another unit, though y does not.",
    ),
    gain_gradient_with_gain=bug(
        "dweight is multiplied by weight. The gain's gradient does not contain the gain: it is the "
        "sum of dy * x_hat.",
        {RESULTS: "return dx, weight * dweight, dbias"},
        symptom="At the start of training dweight is right; later a unit with a large gain gets "
        "too large a dweight.",
    ),
    gradients_averaged=bug(
        "dweight or dbias is a mean over the batch. It is a sum: dy already contains the 1 / B of "
        "a mean loss.",
        {
            "dy.sum": "dy.mean",
            "x_hat).sum": "x_hat).mean",
            BRACKET: "(dy - dbias - x_hat * dweight)",
        },
        {"dy.sum": "dy.mean", "dbias / len(x)": "dbias"},
        {"x_hat).sum": "x_hat).mean", "dweight / len(x)": "dweight"},
        symptom="dx is right; gain or shift learn too slowly, by a factor of the batch size.",
    ),
    gradients_not_summed=bug(
        "dweight and dbias are not summed. Every example uses the same gain and shift, so their "
        "gradients are sums over the batch: dim=0.",
        {RESULTS: "return dx, dy * x_hat, dy"},
        symptom="dweight and dbias have a row for each example.",
    ),
    gradients_exchanged=bug(
        "The order of the results is (dx, dweight, dbias).",
        {RESULTS: "return dx, dbias, dweight"},
        symptom="dx is right; the gain moves as the shift should, and the shift as the gain.",
    ),
    backward_sums_per_example=bug(
        "dweight and dbias are summed over the units. There is one gain and one shift a unit, used "
        "by all examples: sum over the batch, dim=0.",
        {RESULTS: "return dx, (dy * x_hat).sum(dim=1), dy.sum(dim=1)"},
        symptom="dweight and dbias have as many numbers as the batch has examples.",
    ),
    backward_per_example=bug(
        "The statistics and their terms are taken over the units of each example (layer norm). "
        "Batch norm takes them over the batch: dim=0.",
        {
            "x.var(dim=0, correction=0)": "x.var(dim=1, correction=0, keepdim=True)",
            "x.mean(dim=0)": "x.mean(dim=1, keepdim=True)",
            f"dx = weight * inv_std * {BRACKET}": "g = dy * weight\n"
            "shared, sized = g.mean(dim=1, keepdim=True), (g * x_hat).mean(dim=1, keepdim=True)\n"
            "dx = inv_std * (g - shared - x_hat * sized)",
        },
        symptom="dx of one example does not depend on the gradients of its batch-mates.",
    ),
    backward_eps_ignored=bug(
        "eps is missing: the forward pass divided by sqrt(var + eps), so the backward pass does "
        "too.",
        {"(x.var(dim=0, correction=0) + eps)": "x.var(dim=0, correction=0)"},
        symptom="dx and dweight are too large where x has a tiny spread, and right elsewhere.",
    ),
    backward_eps_outside_root=bug(
        "eps is added to the standard deviation. It belongs inside the root: 1 / sqrt(var + eps).",
        {"(x.var(dim=0, correction=0) + eps) ** -0.5": "1 / (x.std(dim=0, correction=0) + eps)"},
        symptom="dx and dweight are off where eps is not small beside the variance.",
    ),
    backward_eps_hard_coded=bug(
        "eps is always 1e-5, whatever is passed. Use the argument.",
        {"+ eps": "+ 1e-5"},
        symptom="The gradients do not depend on the eps that is passed.",
    ),
    upstream_overwritten=bug(
        "It changes dy in place, and dy belongs to the caller. Write dy * weight to a new tensor.",
        {
            f"dx = weight * inv_std * {BRACKET}": "dy *= weight\n"
            "dx = inv_std * (dy - dy.mean(dim=0) - x_hat * (dy * x_hat).mean(dim=0))"
        },
        symptom="All is right, but calling it again with the same dy gives other gradients.",
    ),
)
