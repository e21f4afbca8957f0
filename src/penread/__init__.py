"""penread reads handwritten characters.

    >>> from penread import Ink, Recognizer
    >>> recognizer = Recognizer()
    >>> recognizer.predict(Ink([[[5, 0], [5, 40], [30, 40]]])).char
    'L'

The public API is what this module exports; everything else may change.
"""

from penread.bundle import ModelInfo
from penread.errors import BundleError, CharsetError, DataError, InputError, PenreadError, TrainingError
from penread.ink import Ink
from penread.recognizer import Candidate, Prediction, Recognizer, to_glyph

__version__ = "0.1.0"

__all__ = [
    "BundleError",
    "Candidate",
    "CharsetError",
    "DataError",
    "Ink",
    "InputError",
    "ModelInfo",
    "PenreadError",
    "Prediction",
    "Recognizer",
    "TrainingError",
    "to_glyph",
]
