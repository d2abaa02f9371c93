"""What ends the command with one message instead of a traceback."""


class StackError(Exception):
    """The stack cannot start. The message says what is wrong and what to do next."""
