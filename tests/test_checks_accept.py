"""The checks accept right answers, in whatever style they are written, with any seed."""

import pytest
import right_answers

from bn_tutorial import checks

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("check", right_answers.RIGHT)
@pytest.mark.parametrize("seed", [None, *range(50)])
def test_right_answers_pass(check, seed):
    keywords = {} if seed is None else {"seed": seed}
    for answer in right_answers.RIGHT[check]:
        verdict = getattr(checks, check)(answer, **keywords)
        assert verdict.passed, f"{answer}: {verdict}"
        assert verdict.bug is None
        assert bool(verdict)


def test_a_linear_without_a_bias_is_mentioned_but_not_asked_for():
    def needs_a_bias(linear, batch_norm):
        linear.bias + 1
        return right_answers.fold_by_matrix(linear, batch_norm)

    verdict = checks.fold(needs_a_bias)
    assert verdict.passed
    assert "For a Linear without a bias it is not right yet: it raised TypeError" in verdict.message
    assert "without a bias" not in checks.fold(right_answers.fold_by_matrix).message
