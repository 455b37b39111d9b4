"""``python -m asof`` is the command line."""

from asof.cli import run_script

if __name__ == "__main__":
    run_script()
