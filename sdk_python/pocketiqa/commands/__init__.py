"""One file a command. It holds ``HELP``, ``add_arguments(parser)`` and ``run(options, stderr)``, which returns the exit
status: 0 all well, 1 a photo could not be scored or a check failed. ``stderr`` takes its own lines: everybody else's
are kept off it. A new command is a new file here, and its name in ``COMMANDS``.
"""

from pocketiqa.commands import best, check_input, fit_gate, gate, inspect, pack, report, score, unpack, verify

COMMANDS = (score, gate, fit_gate, best, report, inspect, verify, check_input, pack, unpack)
