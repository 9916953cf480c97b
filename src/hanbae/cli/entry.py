"""The console script: answers ``--version`` at once, and leaves everything else to the front door.

Importing click takes longer than saying a version; scripts and prompts ask for it often.
"""

from __future__ import annotations

import sys

_INTERRUPTED = 130
"""As `interrupts.INTERRUPTED`, which takes as long to import as a version to say."""


def main() -> None:
    """Run the command line of this process."""
    # Nothing is imported before: Ctrl-C would end it in a traceback.
    try:
        from hanbae.cli import quitting

        quitting.at_once()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    # Python has None for an output that the shell has closed (`>&-`); the front door replaces it.
    if sys.argv[1:] == ["--version"] and sys.stdout is not None:
        from hanbae import _version

        try:
            sys.stdout.write(f"hanbae {_version.version}\n")
            sys.stdout.flush()
        except OSError:
            pass  # the front door says what is wrong with the output
        else:
            return
    try:
        from hanbae import garbage

        garbage.collect_rarely()
        from hanbae.cli import main as front

        front.main()
    except KeyboardInterrupt:
        # Ctrl-C while the front door was answering another one: nothing is left to do, and 130 says what it was.
        sys.exit(_INTERRUPTED)
