"""`python -m nearid_cli.training ARGUMENTS` is `nearid train ARGUMENTS`, for `accelerate launch -m`."""

import runpy
import sys

if __name__ == "__main__":
    sys.argv.insert(1, "train")
    runpy.run_module("nearid_cli", run_name="__main__", alter_sys=True)
