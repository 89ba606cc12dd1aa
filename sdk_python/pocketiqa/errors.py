"""What pocketiqa raises for a mistake that its user can mend.

Every message says what was given, what is allowed and what to do; the command line prints it as one line.
"""


class PocketiqaError(Exception):
    """Base of every error that pocketiqa raises on purpose."""


class PhotoError(PocketiqaError):
    """A photo cannot be read, or is no photo that can be scored."""


class BundleError(PocketiqaError):
    """A bundle, manifest or program file is missing, malformed or not what its hash promises."""


class RuntimeUnavailable(PocketiqaError, RuntimeError):
    """No runtime is installed that can run the program, or the runtime refused it."""


def one_line(error: BaseException | str) -> str:
    """An error's or other text on a single line without control characters, for tables and standard error."""
    text = " ".join(str(error).split()) or type(error).__name__
    return "".join(character if character.isprintable() else "?" for character in text)
