"""The patients' cards: what each one has, how one sees it, and what rules the others out."""

from bn_tutorial.checks.bugs import find_bug
from bn_tutorial.checks.bugs.layer_memory import STALE_BIAS


class Card:
    """A patient.

    Parameters
    ----------
    bug : Bug
    proof : str
        The observation that speaks for it.
    **ruled_out : str
        For each other diagnosis that is offered: what would look different.
    """

    def __init__(self, bug, proof, **ruled_out):
        self.bug, self.proof, self.ruled_out = bug, proof, ruled_out

    def meaning(self, name):
        """Return in one sentence what a diagnosis that is offered means."""
        bug = self.bug if name == self.bug.name else find_bug(name)
        sentence = bug.explanation.split(". ")[0]
        return sentence if sentence.endswith(".") else f"{sentence}."


CARDS = (
    Card(
        find_bug("layer_per_example"),
        "every example has mean 0 and std 1 over its units, and the units have not. The sums run "
        "along the wrong axis.",
        layer_whole_array="all numbers together do have mean 0 and std 1, but so they would with "
        "either. With one mean for the whole array no single example would have the mean 0.000; "
        "here every one has it.",
        running_statistics_in_training="then the first batch would be normalized with something "
        "near 0 and 1, and neither units nor examples would come out with mean 0. Here the "
        "examples do, exactly.",
        layer_gain_unused="a new layer's gain is 1, so a gain that is not used changes nothing "
        "yet. Here the very first batch is wrong.",
    ),
    Card(
        find_bug("batch_statistics_in_eval"),
        "in eval mode the answer goes with the company, exactly as in train mode, and it is the "
        "same when the same 64 are read again.",
        updates_in_eval="then the example read alone would have made the running variance NaN (0 / "
        "0), and the same 64 read again would find other statistics. Here all answers are numbers, "
        "and the last two are the same.",
        modes_exchanged="then in train mode the answer would not depend on the company. It does, "
        "and it is the healthy one's.",
        mode_guessed_from_grad="all these readings are under no_grad, where such a layer takes the "
        "running statistics: every answer would be the same, in both modes.",
    ),
    Card(
        find_bug("buffers_not_registered"),
        "the trained parameters came back (the loss with the batch's own statistics is the same), "
        "the running statistics did not, and strict loading missed nothing: so they are not in the "
        "state_dict at all.",
        parameters_not_registered="then gain and shift would be 1 and 0 before and after, as no "
        "optimizer would have moved them: saving and loading would lose nothing.",
        never_remembers="then the loss in eval mode would be bad before saving too. It was as good "
        "as in train mode.",
        running_variance_starts_at_zero="a start is forgotten after a thousand steps, and loading "
        "replaces it: before and after would be equal.",
    ),
    Card(
        find_bug("layer_momentum_reversed"),
        "with momentum 0.1 it is as restless as the healthy one with 0.9, and with 0.9 as calm as "
        "the healthy one with 0.1.",
        last_batch_remembered="then the momentum would make no difference: all three rows would be "
        "restless. With 0.9 it is calm.",
        layer_momentum_hard_coded="then the momentum would make no difference: the patient would "
        "be as restless, or as calm, in all three rows.",
        batch_statistics_in_eval="then val would be normalized with its own statistics, whatever "
        "was read before: the curve would be perfectly flat.",
    ),
    Card(
        find_bug("buffers_keep_graph"),
        "one batch more is kept at every step, for ever. Something that lives from step to step "
        "holds on to the graph.",
        running_statistics_trained="that would be 200 numbers more for the optimizer, once. "
        "Nothing would be kept from step to step.",
        layer_input_overwritten="whoever writes into x keeps nothing alive: the count would be 0 "
        "after every step.",
        layer_statistics_detached="what is detached keeps less, not more. And with other gradients "
        "the losses would drift away from the healthy one's.",
    ),
    Card(
        find_bug("cancelling_variance"),
        "a shift of 10 is harmless and a shift of 1000 is fatal, at the same spread: digits have "
        "cancelled.",
        variance_around_zero="then every shift would do harm, and 10 already a lot: the further "
        "from 0, the smaller the output. There, all is well.",
        eps_ignored="eps matters where the spread is tiny, and at x / 1000 all is well. A shift "
        "leaves the spread as it is.",
        mean_kept="then the output would move with the shift, and be wrong at 10 already.",
    ),
    Card(
        find_bug("gradients_averaged"),
        "dx is right in direction and size, gain and shift are right in direction and too small by "
        "the batch size. A mean stands where a sum belongs.",
        gain_left_out="then dx would be off, by one factor a unit. Its direction and its size are "
        "right.",
        gain_gradient_without_x_hat="then dweight would have another direction, and dbias would be "
        "right. The directions are right, and dbias is too small as well.",
        statistics_detached="that spoils dx and leaves dweight and dbias alone. Here it is the "
        "other way round.",
    ),
    Card(
        find_bug("mode_guessed_from_grad"),
        "the two lines with gradients are alike, and so are the two without: it is not the mode "
        "that decides.",
        modes_exchanged="then train with gradients would read with the running statistics and "
        "leave them alone. It moves them.",
        batch_statistics_in_eval="then eval under no_grad would give the batch's own loss. It "
        "gives the healthy one's.",
        updates_in_eval="then eval under no_grad would move the running statistics too. They stay.",
    ),
    Card(
        STALE_BIAS,
        "the statistics fit what enters the layer, and still x_hat is not centered: something is "
        "added inside, in eval mode only.",
        running_mean_never_updated="then the running mean would be 0. It is the mean of x, to a "
        "few hundredths of a standard deviation.",
        std_for_running_variance="then the running std would not fit and x_hat would have another "
        "spread. Both are right; it is the center that is wrong.",
        layer_momentum_reversed="that makes the statistics noisy. They fit as well as the healthy "
        "one's.",
    ),
    Card(
        find_bug("fold_without_linear_bias"),
        "no bias, no mistake; and a bias is enough for a mistake, even before a norm that has "
        "learned nothing.",
        fold_without_running_mean="a new norm's running mean is 0, so leaving it out would do no "
        "harm there. And with a trained norm it would do harm without a bias too.",
        fold_without_shift="a new norm's shift is 0, so leaving it out would do no harm there. And "
        "with a trained norm it would do harm without a bias too.",
        fold_with_unscaled_linear_bias="a new norm's scale is 1 (but for eps), so a bias that was "
        "not scaled would be right there. It is off by as much as the bias is large.",
    ),
    Card(
        find_bug("layer_variance_detached"),
        "the gradient promises that stretching changes the loss, and it doesn't: the way through "
        "the variance is missing. Of a common push it promises nothing, rightly.",
        layer_mean_detached="then it would promise something of a push that all examples share. It "
        "promises 0, and rightly.",
        layer_statistics_detached="then the promise would be wrong for both. For the push that all "
        "examples share it is right.",
        layer_unbiased="then the loss would be another one, by very little, and the gradient would "
        "fit it: all promises would be kept.",
    ),
    Card(
        find_bug("running_variance_biased"),
        "in train mode all is well, and in eval mode it is too loud by sqrt(B / (B - 1)), 1.155 at "
        "B = 4: what it remembers was divided by B.",
        layer_unbiased="then the outputs in train mode would be too small. They are the healthy "
        "one's.",
        std_averaged="averaging roots makes it too loud as well, but by a factor that depends on "
        "how much the batches differ. And one batch alone with momentum 1 has nothing to average: "
        "the ratio would be the healthy one's.",
        std_for_running_variance="a root makes numbers below 1 larger: then eval would be too "
        "quiet here, and by much the same at every batch size.",
    ),
)
