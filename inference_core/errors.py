"""What the core raises for bad input, and what it warns of."""


class InputError(ValueError):
    """Input that can't be used.

    The message is one sentence for the user: what is wrong, where, and what to do about it. The command line
    and the Slicer module show it as it is, without a traceback.
    """


class InputWarning(UserWarning):
    """Input that was used, but whose result deserves a second look; the message is one sentence for the user."""
