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
from penread.prediction import Box, Candidate, Character, Explanation, Prediction, Reading, TextLine
from penread.recognizer import Recognizer, to_glyph

__version__ = "0.1.0"

__all__ = [
    "Box",
    "BundleError",
    "Candidate",
    "Character",
    "CharsetError",
    "DataError",
    "Explanation",
    "Ink",
    "InputError",
    "ModelInfo",
    "PenreadError",
    "Prediction",
    "Reading",
    "Recognizer",
    "TextLine",
    "TrainingError",
    "to_glyph",
]
