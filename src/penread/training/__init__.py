"""Training, evaluation and export: everything that needs the ``train`` extra.

Nothing but the command line imports this package, and only inside the command that needs it.
"""
