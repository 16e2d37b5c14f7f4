"""What a verdict shows, in a notebook and in a test cell."""

from dataclasses import FrozenInstanceError

import pytest

from bn_tutorial.checks import Verdict, running_update
from bn_tutorial.checks.verdict import not_attempted

PASSED = Verdict(True, None, "well done")
NAMED = Verdict(False, "flu", "it sneezes <b>")
OTHER = Verdict(False, None, "y is <script>alert(1)</script> & 1")
STUB = not_attempted("it returns None")


def test_it_shows_what_it_says():
    assert repr(PASSED) == "right: well done"
    assert repr(NAMED) == "not yet (flu): it sneezes <b>"
    assert repr(OTHER).startswith("not yet: y is <script>")
    assert repr(STUB) == "not attempted yet (it returns None)"


def test_its_html_is_escaped():
    for verdict in (PASSED, NAMED, OTHER, STUB):
        html = verdict._repr_html_()
        assert html.startswith("<div ")
        assert "<script>" not in html
    assert "y is &lt;script&gt;alert(1)&lt;/script&gt; &amp; 1" in OTHER._repr_html_()
    assert "it sneezes &lt;b&gt;" in NAMED._repr_html_()
    assert "&lt;i&gt;" in Verdict(False, "<i>", "x")._repr_html_()


def test_its_html_shows_the_diff_of_a_known_bug_folded():
    shown = Verdict(False, "flu", "it sneezes", diff="-    a < b\n+    a > b")._repr_html_()
    assert "<details><summary>Right code (-), and code with this bug (+)</summary>" in shown
    assert "<pre>-    a &lt; b\n+    a &gt; b</pre></details></div>" in shown
    assert "<details>" not in NAMED._repr_html_()


def test_it_is_true_where_it_passed_and_nowhere_else():
    assert [bool(v) for v in (PASSED, NAMED, OTHER, STUB)] == [True, False, False, False]
    assert [v.attempted for v in (PASSED, NAMED, OTHER, STUB)] == [True, True, True, False]
    assert Verdict(False, None, STUB.message).attempted  # it does not depend on the words


def test_it_scores_all_or_nothing_and_prints_itself(capsys):
    assert PASSED.score(3) == 3
    assert NAMED.score(3) == 0
    assert STUB.score(2.5) == 0
    assert capsys.readouterr().out.splitlines() == [repr(PASSED), repr(NAMED), repr(STUB)]


def test_it_can_not_be_changed():
    with pytest.raises(FrozenInstanceError):
        PASSED.passed = False


def test_it_is_the_same_every_time():
    def reversed_momentum(running, batch, momentum):
        return momentum * running + (1 - momentum) * batch

    first, second = (running_update(reversed_momentum) for _ in range(2))
    assert first == second
    assert repr(first) == repr(second)
    assert first.bug == "momentum_reversed"
