"""Every exception that penread raises on purpose, under one base class.

Each message says what is wrong and what to do about it: it is shown to people as it stands,
on the command line, in HTTP answers and on the page.
"""


class PenreadError(Exception):
    """Base of all errors that penread raises on purpose."""


class InputError(PenreadError, ValueError):
    """What was given to be read is no ink, image or glyph, or is out of bounds."""


class CharsetError(PenreadError, ValueError):
    """A charset names no class of the model, or is no charset."""


class BundleError(PenreadError):
    """A bundle is missing, incomplete or damaged."""


class DataError(PenreadError):
    """A file of training or test data is missing, damaged or of another kind."""


class TrainingError(PenreadError):
    """A run can't be started, resumed or exported as asked."""
