"""Takes away what the shell or the CI system around the tests has set and hanbae, git or a client would read.

A test sets what it is about. Without this, ``CI=true`` switches the cache off, ``LANG=ko_KR.UTF-8`` translates what is
expected in English, and ``GIT_DIR``, which git sets for hooks, leads every ``git`` of a test to the developer's clone.
"""

from __future__ import annotations

import signal
from collections.abc import MutableMapping
from typing import Final

_PREFIXES: Final = ("ARGOCD_", "GIT_", "HANBAE_", "KUBE", "LC_", "PG")
_NAMES: Final = (
    *(
        "CI",
        "CLICOLOR",
        "CLICOLOR_FORCE",
        "COLUMNS",
        "FORCE_COLOR",
        "LANGUAGE",
        "LINES",
        "NO_COLOR",
    ),
    *("DOCKER_CONFIG", "SUDO_UID", "XDG_CONFIG_HOME"),
    # Without bytecode every hanbae that a test starts compiles itself and its libraries: a second or two each.
    "PYTHONDONTWRITEBYTECODE",
)
_KEPT: Final = ("HANBAE_SANDBOX_BIN", "HANBAE_TEST_", "HANBAE_UPDATE_GOLDEN")
"""What is said to the tests themselves."""


def clear(environment: MutableMapping[str, str]) -> None:
    """Remove variables that would change what a test sees; the language becomes that of the C locale.

    Args:
        environment: The variables, such as ``os.environ``, which children inherit.
    """
    for name in list(environment):
        if name in _NAMES or (name.startswith(_PREFIXES) and not name.startswith(_KEPT)):
            del environment[name]
    environment["LANG"] = "C.UTF-8"


def heed_interrupts() -> None:
    """Have Ctrl-C end this process and its children, as at a terminal.

    A shell without job control (a script's ``./dev test &``) starts what runs in the background with SIGINT ignored,
    and children inherit that: no test of an interruption could pass.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
