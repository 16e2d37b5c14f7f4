"""Pictures with sliders that answer at once: ``from bn_tutorial import explorers``."""

from bn_tutorial.explorers.activation import ActivationExplorer
from bn_tutorial.explorers.batch_mates import BatchMatesExplorer
from bn_tutorial.explorers.batch_size import BatchSizeExplorer
from bn_tutorial.explorers.batch_table import BatchTable
from bn_tutorial.explorers.calibration import CalibrationExplorer
from bn_tutorial.explorers.depth import DepthExplorer
from bn_tutorial.explorers.examples import examples_of
from bn_tutorial.explorers.guess import Guess, guesses
from bn_tutorial.explorers.learning_rate import RATES, LearningRateExplorer
from bn_tutorial.explorers.map import MapExplorer
from bn_tutorial.explorers.momentum import MomentumExplorer
from bn_tutorial.explorers.order import OrderExplorer
from bn_tutorial.explorers.playground import Playground
from bn_tutorial.explorers.spiral import SpiralExplorer
from bn_tutorial.explorers.weight import WeightExplorer

__all__ = [
    "RATES",
    "ActivationExplorer",
    "BatchMatesExplorer",
    "BatchSizeExplorer",
    "BatchTable",
    "CalibrationExplorer",
    "DepthExplorer",
    "Guess",
    "LearningRateExplorer",
    "MapExplorer",
    "MomentumExplorer",
    "OrderExplorer",
    "Playground",
    "SpiralExplorer",
    "WeightExplorer",
    "examples_of",
    "guesses",
]
