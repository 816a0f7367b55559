"""The command line: `mrsi-superres COMMAND`."""

import argparse
import sys
import warnings
from collections.abc import Callable
from importlib import import_module

from inference_core import __version__
from inference_core.commands.streams import give_up_output, print_any_character, say
from inference_core.errors import InputError, InputWarning
from inference_core.files.atomic import STORAGE_ERRORS
from inference_core.files.folders import check_scratch

#: Each command, the module that runs it, and its line in the help.
_COMMANDS = {
    "predict": ("inference_core.commands.predict", "super-resolve one metabolite map"),
    "batch": ("inference_core.commands.batch", "super-resolve a whole study, on this machine or a cluster"),
    "validate": ("inference_core.commands.validate", "check the weights on maps of one's own, without ground truth"),
    "prepare": ("inference_core.commands.prepare", "prepare a study: LCModel output, T1 and FLAIR to filtered maps"),
    "demo": ("inference_core.commands.demo", "super-resolve the bundled simulated patient and draw the figures"),
    "regions": ("inference_core.commands.regions", "metabolites and ratios in regions, with uncertainties, as a table"),
    "report": ("inference_core.commands.report", "a patient on one page: maps, ratios, regions, uncertainties"),
    "phantom": ("inference_core.commands.phantom", "write simulated patients as folders of NIfTI files"),
    "train": ("inference_core.commands.train", "train the network on a folder of patients or on simulated ones"),
    "benchmark": ("inference_core.commands.benchmark", "measure how fast everything is on this machine"),
    "reproduce": ("inference_core.commands.reproduce", "reproduce the paper's table and figures, with a report"),
    "calibrate": ("inference_core.commands.calibrate", "calibrate how sure the results are, on simulated patients"),
    "evaluate": ("inference_core.commands.evaluate", "measure the network against methods that need no training"),
}


def run_command(run: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    """Run a command; what is wrong with the user's input ends in one sentence and status 2, without a traceback."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", InputWarning)
        default = warnings.showwarning

        def show(message, category, *rest, **options):
            if issubclass(category, InputWarning):
                say(f"Warning: {message}")
            else:
                default(message, category, *rest, **options)

        warnings.showwarning = show
        try:
            status = run(arguments)
            # What could not be printed is known only then.
            if sys.stdout is not None:
                sys.stdout.flush()
            return status
        except InputError as error:
            say(f"Error: {error}")
            return 2
        except BrokenPipeError:
            # The program that read the output has closed it.
            give_up_output()
            return 1
        except OSError as error:
            if error.errno not in STORAGE_ERRORS:
                return _without_scratch(error)
            give_up_output()
            where = f"'{error.filename}'" if error.filename else "What this command prints or writes"
            say(f"Error: {where} can't be written or read ({error.strerror}): check the disk.")
            return 2
        except KeyboardInterrupt:
            say("Stopped.")
            return 130


def _without_scratch(error: OSError) -> int:
    """Say that there is no folder for temporary files, such as PyTorch needs; raise any other error again."""
    try:
        check_scratch()
    except InputError as problem:
        say(f"Error: {problem}")
        return 2
    raise error


def main(argv: list[str] | None = None) -> int:
    """Run the command line with `argv`, or the process's arguments; returns the exit status."""
    print_any_character()
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog="mrsi-superres",
        description="Super-resolve MR spectroscopic imaging maps. For research, not for diagnosis.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = next((word for word in argv if not word.startswith("-")), None)
    for name, (module, line) in _COMMANDS.items():
        command = commands.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")
        if name == chosen:
            implementation = import_module(module)
            implementation.add_arguments(command)
            command.set_defaults(run=implementation.run)
    arguments = parser.parse_args(argv)
    return run_command(arguments.run, arguments)


if __name__ == "__main__":
    sys.exit(main())
