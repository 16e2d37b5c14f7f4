"""The playground: what it shows of its networks, and how it trains them while a reader moves on."""

import gc
import math
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

import bn_tutorial as bn
from bn_tutorial import diagnostics, plots
from bn_tutorial.explorers import Playground, playground
from bn_tutorial.explorers.as_code import arguments_of
from bn_tutorial.explorers.size_grid import read_in_batches

PATIENCE = 60
LIMIT = 48 * 1024  # bytes of a message
SMALL = {"steps": 100, "hidden": 10}
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def shared(dataset):
    return Playground(dataset, state=SMALL)


@pytest.fixture
def here(shared):
    shared.state = shared._start | SMALL
    shared.wait()
    return shared


def move(explorer, **state):
    explorer.state = state
    explorer.wait()


def until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


def norms(state):
    return [
        {"plain": None, "batch norm": "batch", "layer norm": "layer"}[n] for n in state["networks"]
    ]


def direct(dataset, explorer, statistics):
    """Train and read the networks with the package's own functions: dict of label to dict."""
    state, found = explorer.state, {}
    for label, norm in zip(state["networks"], norms(state), strict=True):
        recipe = replace(explorer.recipe(state), norm=norm)
        run = bn.train(dataset, recipe)
        read = None
        if norm == "batch" and statistics == "calibrated":
            read = bn.calibrate(run, dataset.train)
        elif norm == "batch":
            read = bn.running_statistics(run, momentum=state["momentum"])
        losses = [bn.evaluate(run, split, read) for split in (dataset.train, dataset.val)]
        words = bn.sample_words(run, dataset.vocabulary, read, n=4, seed=state["seed"])
        found[label] = {"run": run, "losses": losses, "words": words}
    return found


@pytest.mark.parametrize("statistics", ["calibrated", "running"])
def test_losses_and_words_are_those_of_the_package(dataset, here, statistics):
    move(here, networks=("plain", "batch norm", "layer norm"), statistics=statistics, seed=5)
    for label, expected in direct(dataset, here, statistics).items():
        network = here.numbers.networks[label]
        assert [network.train, network.val] == pytest.approx(expected["losses"])
        assert list(network.words) == expected["words"]
        assert (
            f"{label} ends at {network.train:.2f} on train, {network.val:.2f} on val" in here.text
        )


def test_batch_norm_can_be_read_in_batches(dataset, here):
    move(here, statistics="batch", batch_size=8)
    run = bn.train(dataset, here.recipe(here.state))
    assert here.numbers.networks["batch norm"].val == pytest.approx(
        read_in_batches(run, dataset.val)
    )
    assert "(read with batch statistics)" in here.text


@pytest.mark.parametrize(("curve", "points"), [("smoothed", 100), ("each batch's", 200)])
def test_curves_are_the_losses_of_the_steps(dataset, here, curve, points):
    move(here, **here.read_code("bn.Recipe(steps=200, hidden=10)"), curve=curve)
    run = bn.train(dataset, replace(here.recipe(here.state), norm=None))
    network = here.numbers.networks["plain"]
    expected = run.loss.reshape(points, -1).mean(dim=1)
    np.testing.assert_allclose(network.losses, expected, rtol=1e-5)
    x, y = here._panels.networks["plain"].curve.get_data()
    np.testing.assert_array_equal(x, network.steps)
    np.testing.assert_array_equal(y, np.fmin(network.losses, 30))


@pytest.mark.parametrize("layer", [1, 3])
def test_what_goes_on_inside_is_the_batch_sent_through(dataset, here, layer):
    move(here, depth=3, layer=layer)
    run = bn.train(dataset, replace(here.recipe(here.state), norm="batch"))
    snapshot = diagnostics.probe(run, *here._probe.batch)
    network = here.numbers.networks["batch norm"]
    out, into = snapshot.outputs[f"tanh.{layer - 1}"], snapshot.outputs[f"norm.{layer - 1}"]
    np.testing.assert_allclose(network.out, plots.bin_shares(out, limits=(-1, 1))[0], atol=2e-4)
    np.testing.assert_allclose(network.into, plots.bin_shares(into, limits=(-5, 5))[0], atol=2e-4)
    assert network.saturated == pytest.approx((out.abs() > 0.97).float().mean().item())
    told = here._panels.networks["batch norm"].saturated.get_text()
    assert told == f"{network.saturated:.0%} saturated"
    flow = diagnostics.gradient_flow(snapshot)
    np.testing.assert_allclose(network.gradient, [flow[f"tanh.{i}"] for i in range(3)], rtol=1e-3)
    ratio = diagnostics.update_to_data(snapshot, 0.1)
    expected = [ratio[f"hidden.{i}.weight"] for i in range(3)]
    np.testing.assert_allclose(network.updates, expected, rtol=1e-3)


def test_the_counted_pairs_are_notebook_01_s(here):
    assert here.bigram == pytest.approx(2.6706, abs=1e-4)
    assert here._probe.uniform == pytest.approx(math.log(28))


def test_after_many_moves_it_equals_a_fresh_one(dataset, here):
    generator = np.random.default_rng(1)
    for _ in range(30):
        name = generator.choice(
            ["learning_rate", "batch_size", "networks", "layer", "depth", "seed"]
        )
        control = here.controls[name]
        control.index = int(generator.integers(min(4, len(control.options))))
    here.wait()
    fresh = Playground(dataset, state=here.state)
    assert (here.state, here.text, repr(here)) == (fresh.state, fresh.text, repr(fresh))
    assert here.picture.png == fresh.picture.png
    assert here.picture.stamp == fresh.picture.stamp == here._stamp(here.state)


def test_a_diverged_network_says_so_with_the_step(here):
    move(here, **here.read_code("bn.Recipe(learning_rate=3e38, steps=100, hidden=10)"))
    assert "plain diverges at step 1; batch norm diverges at step 1" in here.text
    assert here.numbers.networks["plain"].val is None
    assert here._panels.networks["plain"].cross.get_xdata() == [1]


def test_a_network_without_a_step_is_shown_as_drawn(dataset, here):
    move(here, **here.read_code("bn.Recipe(steps=0, hidden=10)"))
    run = bn.train(dataset, replace(here.recipe(here.state), norm=None))
    network = here.numbers.networks["plain"]
    assert here.error is None
    assert network.val == pytest.approx(bn.evaluate(run, dataset.val))
    assert len(network.losses) == 0


def test_what_only_reads_trains_nothing_anew(here, monkeypatch):
    move(here, statistics="running", depth=2)
    monkeypatch.setattr(playground, "sweep", None)
    texts = {here.text}
    for state in ({"momentum": 0.01}, {"momentum": 1.0}, {"layer": 2}, {"scale": "linear"}):
        move(here, **state)
        assert here.error is None
        texts.add(here.text)
    assert len(texts) == 3  # the momenta alone change the losses


def test_curves_grow_and_a_move_begins_anew(dataset):
    explorer = Playground(dataset, state=SMALL)
    code = "bn.Recipe(steps={}, hidden=10)"
    explorer.state = explorer.read_code(code.format(3_000_000))
    until(lambda: explorer.numbers.training)
    done = explorer.numbers.networks["plain"].done
    assert "plain is in training; batch norm is in training" in explorer.text
    assert f"{explorer.state['steps']:,} steps" in explorer.text
    until(lambda: explorer.numbers.networks["plain"].done > done)
    assert explorer._panels.progress.get_xdata()[1] > 0
    explorer.state = explorer.read_code(code.format(100))
    explorer.wait()
    assert not explorer.numbers.training
    assert explorer.numbers.networks["plain"].done == 100
    assert explorer._panels.progress.get_xdata()[1] == 0


def test_a_training_that_is_stopped_says_so_and_goes_on_at_the_next_move(dataset):
    explorer = Playground(dataset, state=SMALL)
    explorer.state = explorer.read_code("bn.Recipe(steps=3000000, hidden=10)")
    until(lambda: explorer.numbers.training)
    explorer.cancel()
    explorer.wait()
    assert "plain was stopped after " in explorer.text
    assert not explorer.numbers.training
    move(explorer, **explorer.read_code("bn.Recipe(steps=100, hidden=10)"))
    assert "plain ends at" in explorer.text


def test_moves_quicker_than_pictures_do_not_keep_them_away(dataset):
    explorer = Playground(dataset, state=SMALL)
    explorer.state = explorer.read_code("bn.Recipe(steps=3000000, hidden=10)")
    shown, show = [], explorer.picture.show
    explorer.picture.show = lambda *frame: (shown.append(frame), show(*frame))
    end = time.monotonic() + PATIENCE
    for number in range(1_000_000):
        explorer.controls["learning_rate"].index = number % 20
        time.sleep(0.002)
        if len(shown) >= 5:
            break
        assert time.monotonic() < end
    explorer.state = explorer.read_code("bn.Recipe(steps=100, hidden=10)")
    explorer.wait()


def test_a_slow_training_is_shown_from_its_first_steps_on(dataset):
    explorer = Playground(dataset, state=SMALL)
    shown, put = [], explorer._put
    explorer._put = lambda numbers: (shown.append(numbers), put(numbers))
    code = "bn.Recipe(steps=100000, depth=10, hidden=200, batch_size=512)"
    explorer.state = explorer.read_code(code)
    until(lambda: shown)
    explorer.cancel()
    explorer.wait()
    assert shown[0].training
    assert 0 < shown[0].networks["plain"].done < playground.FIRST_STEPS
    assert not shown[-1].training


def test_200_restarts_leave_one_thread_and_no_memory(dataset):
    explorer = Playground(dataset, state=SMALL)
    explorer.state = explorer.read_code("bn.Recipe(steps=1000000, hidden=10)")
    sizes = []
    before = threading.active_count() - 1
    for number in range(200):
        explorer.controls["learning_rate"].index = number % 20
        assert threading.active_count() <= before + 8  # the trainings' own, on their way out
        time.sleep(0.005)
        if number in (50, 199):
            gc.collect()
            sizes.append(sum(1 for thing in gc.get_objects() if type(thing) is torch.Tensor))
    named = [t for t in threading.enumerate() if t.name == "latest work"]
    assert len(named) == 1
    explorer.state = explorer.read_code("bn.Recipe(steps=100, hidden=10)")
    explorer.wait()
    assert sizes[1] <= sizes[0] + 100
    assert not [t for t in threading.enumerate() if t.name == "latest work"]


def test_an_error_in_training_reaches_the_reader_and_the_next_move_works(here, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(playground, "sweep", lambda *_, **__: 1 / 0)
        move(here, learning_rate=1.0)
    assert here.picture.text == "This move failed. ZeroDivisionError: division by zero"
    assert isinstance(here.error, ZeroDivisionError)
    move(here, learning_rate=0.1)
    assert here.error is None
    assert here.picture.text == here.text


def test_every_preset_is_a_small_picture_and_says_what_it_is(here):
    for name, part in here.presets.items():
        move(here, **part | SMALL)
        assert here.state == here._start | part | SMALL, name
        assert len(here.picture.png) <= LIMIT
        png = here.picture.png
        here.refresh()
        here.wait()
        assert here.picture.png == png


def test_reset_and_presets_are_buttons(here):
    buttons = [b.description for b in here.children[-1].children if hasattr(b, "click")]
    assert buttons == [*here.presets, "Reset"]


# as code


def test_the_state_is_code_and_back(here):
    move(here, depth=2, learning_rate=1.0, batch_size=32)
    code = here.as_code.value
    assert code == here.code
    recipe = eval(code)
    assert recipe == replace(here.recipe(here.state), norm="batch")
    here.reset()
    here.as_code.value = code
    here.wait()
    assert here.recipe(here.state) == recipe
    assert here.code == code


def test_a_value_without_a_position_gets_one(here):
    here.as_code.value = "Recipe(learning_rate=0.123, steps=77, hidden=10)"
    here.wait()
    assert (here.state["learning_rate"], here.state["steps"]) == (0.123, 77)
    assert here.numbers.networks["plain"].done == 77
    rates = [value for _, value in here.controls["learning_rate"].options]
    assert rates == sorted(rates)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("hello", "as code: expected bn.Recipe(...) with numbers by name, got 'hello'"),
        (
            "bn.Recipe(3)",
            "as code: expected bn.Recipe(...) with numbers by name, got 'bn.Recipe(3)'",
        ),
        ("bn.Recipe(steps=__import__('os').getpid())", "as code: expected bn.Recipe(...)"),
        ("bn.Recipe(steps=-1)", "steps: expected an integer of at least 0, got -1"),
        ("bn.Recipe(dtype='float64')", "as code: expected fields among depth, "),
        ("bn.Recipe(steps='ten')", "steps: expected"),
    ],
)
def test_bad_code_is_refused_in_words(here, code, message):
    before = here.state
    here.as_code.value = code
    here.wait()
    assert message in here.picture.text
    assert here.state == before
    move(here, seed=3)
    assert here.picture.text == here.text


def test_code_is_read_and_not_run():
    assert arguments_of("bn.Recipe(steps=10, learning_rate=1e-3)") == {
        "steps": 10,
        "learning_rate": 1e-3,
    }
    with pytest.raises(ValueError, match="as code"):
        arguments_of("bn.Recipe(steps=[].append(3))")


def test_bad_arguments(dataset):
    with pytest.raises(TypeError, match=r"^dataset: "):
        Playground([])
    with pytest.raises(TypeError, match=r"^recipe: "):
        Playground(dataset, recipe=3)
    with pytest.raises(ValueError, match=r"^networks: expected one of"):
        Playground(dataset, state={"networks": ("plain",)})
    with pytest.raises(ValueError, match=r"^statistics: expected one of"):
        Playground(dataset, state={"statistics": "none"})
