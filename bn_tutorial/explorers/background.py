"""Training in another thread, while an event loop shows how far it has come."""

import asyncio
from functools import partial

from bn_tutorial.explorers.picture import LOCK
from bn_tutorial.training import sweep

PAUSE = 0.035  # seconds between two pictures of a curve that grows
LONG_PAUSE = 0.2  # while a grid is trained, which pictures would hold up


class Training:
    """Sweeps, one after the other, that complete a grid.

    Parameters
    ----------
    dataset : Dataset
    grid : Grid
    sweeps : list of (rates, gain, norms, seed)

    Attributes
    ----------
    steps, done : int
        Of all runs.
    cancelled : bool
        Set it to end the training. Runs that are complete are kept, and so are the others' losses.
    watches : list of Watch
        Of the present sweep.
    """

    def __init__(self, dataset, grid, sweeps):
        self._dataset, self._grid, self._sweeps = dataset, grid, sweeps
        runs = sum(len(rates) * len(norms) for rates, _, norms, _ in sweeps)
        self.steps, self.done = runs * grid.recipe.steps, 0
        self.cancelled, self.watches = False, []

    async def run(self, show):
        """Train, and call ``show`` again and again, with the lock, as the losses come."""
        for one in self._sweeps:
            if not self.cancelled:
                await self._train(*one, show)

    async def _train(self, rates, gain, norms, seed, show):
        grid, before = self._grid, self.done
        values = {"learning_rate": rates, "hidden_gain": [gain], "norm": norms, "seed": [seed]}
        keys = [(rate, gain, norm, seed) for rate in rates for norm in norms]
        work = asyncio.get_running_loop().run_in_executor(
            None, partial(sweep, self._dataset, grid.recipe, progress=self._look, **values)
        )
        while not work.done():
            await asyncio.wait([work], timeout=PAUSE if len(rates) == 1 else LONG_PAUSE)
            losses = zip(keys, [watch.loss for watch in self.watches], strict=False)
            with LOCK:
                grid.growing = {key: loss.copy() for key, loss in losses if loss is not None}
                self.done = before + sum(watch.done for watch in self.watches)
                show()
        with LOCK:
            grid.growing = {}
            for run in work.result():
                grid.keep(run)

    def _look(self, watches):
        self.watches = watches
        for watch in watches:
            watch.stop = watch.stop or self.cancelled


def start(coroutine):
    """Run a coroutine: in the background where an event loop runs, as in a notebook, else now.

    Returns
    -------
    asyncio.Task or None
        Whoever looks at it need not: an error in it is the coroutine's to tell.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(coroutine)
        return None
    task = loop.create_task(coroutine)
    task.add_done_callback(_forget)
    return task


def _forget(task):
    if not task.cancelled():
        task.exception()
