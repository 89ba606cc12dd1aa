"""What pocketiqa raises for a mistake that its user can mend.

Every message says what was given, what is allowed and what to do; the command line prints it as one line.
"""


class PocketiqaError(Exception):
    """Base of every error that pocketiqa raises on purpose. ``exit_status`` is a command's status when it ends with
    one: 2, a mistake in what it was given (`pocketiqa.exit_status`)."""

    exit_status = 2


class PhotoError(PocketiqaError):
    """A photo cannot be read, or is no photo that can be scored."""


class BundleError(PocketiqaError):
    """A bundle, manifest or program file is missing, malformed or not what its hash promises."""


class RuntimeUnavailable(PocketiqaError, RuntimeError):
    """No runtime is installed that can run the program, or the runtime refused it."""


_LONGEST_LINE = 1000


def one_line(error: BaseException | str) -> str:
    """An error's or other text on a single line without control characters, for tables and standard error.
    What is longer than 1000 characters loses its middle: a stranger's file may hold words of any length."""
    text = " ".join(str(error).split()) or type(error).__name__
    if len(text) > _LONGEST_LINE:
        text = f"{text[: _LONGEST_LINE // 2]}…{text[-_LONGEST_LINE // 2 :]}"
    return "".join(character if character.isprintable() else "?" for character in text)
