"""The command line: `python -m helpers <verb>`."""

from __future__ import annotations

import argparse
import errno
import os
import sys

from helpers import __version__, environment, install
from helpers.errors import UserError
from helpers.verbs import VERBS


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m helpers", description=__doc__.split(":")[0] + " of Push-Back AI.")
    top.add_argument("--version", action="version", version=__version__)
    verbs = top.add_subparsers(dest="verb", metavar="<verb>", required=True)
    for name, verb in VERBS.items():
        description = verb.help[0].upper() + verb.help[1:] + "."
        one = verbs.add_parser(name, help=verb.help, description=description, allow_abbrev=False)
        for names, settings in verb.options:
            one.add_argument(*names, **settings)
    return top


def run(arguments: list[str]) -> int:
    options, rest = parser().parse_known_args(arguments)
    verb = VERBS[options.verb]
    if rest and not verb.rest:
        parser().error(f"unrecognized arguments: {' '.join(rest)}")
    setattr(options, verb.rest or "rest", rest)
    environment.go_inside(arguments)
    print(
        f"Push-Back AI {__version__} · {options.verb} · Python {sys.version.split()[0]} in {environment.place()}",
        flush=True,
    )
    install.complete(retry_gguf=options.verb == "setup")
    return verb.call(options) or 0


def main(arguments: list[str] | None = None) -> int:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a Windows console may not know every character
    try:
        return run((sys.argv[1:] if arguments is None else arguments) or ["--help"])
    except UserError as problem:
        return _say(str(problem), 1)
    except KeyboardInterrupt:
        return _say("Stopped. What was finished is kept; the same command goes on from there.", 130)
    except BrokenPipeError:  # `| head` has seen enough; without this, Python complains once more as it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as problem:
        if problem.errno == errno.ENOSPC:
            return _say(f"The disk is full, writing {problem.filename or 'a file'}. Free some space and run again.", 1)
        if not problem.filename:
            raise
        return _say(f"{problem.filename}: {problem.strerror}. Mind what it is and who may use it, and run again.", 1)


def _say(line: str, status: int) -> int:
    print(line, file=sys.stderr, flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
