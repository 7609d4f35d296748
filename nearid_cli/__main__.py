"""`python -m nearid_cli` and the command `nearid`."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    # Hardly anything here is in a circle, and looking for such after every 700 objects takes a tenth of a warm run,
    # looking once at 200,000 a twentieth of a warm comparison.
    gc.set_threshold(1_000_000)
    try:
        from nearid_cli.cli.app import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    except RuntimeError as error:  # how Python 3.11 tells of a Ctrl-C while a class is made
        if isinstance(error.__cause__, KeyboardInterrupt):
            sys.exit(130)
        raise
    try:
        code = run()
    except KeyboardInterrupt:  # a second one, when the first is said
        code = 130
    # After a Ctrl-C within code that was made as text, such as that of a dataclass, Python would end `python -m` by the
    # signal, whatever the code to exit with; other text makes it forget.
    exec("")
    gc.freeze()  # nor are circles looked for at the end, when all memory is given back anyway
    sys.exit(code)


if __name__ == "__main__":
    main()
