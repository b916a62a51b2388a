"""The command line. Parses, then hands over; results go to stdout, everything else to stderr."""

from __future__ import annotations

import argparse
import asyncio
import difflib
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmasos.core.base.errors import LlmasosError, UsageError

if TYPE_CHECKING:
    from llmasos.core.base.settings import Settings

INTERRUPTED = 130
OPTIONS = (
    "home",
    "workspace",
    "model",
    "translator",
    "interpreter_model",
    "quantization",
    "threads",
    "lanes",
    "conversations",
    "policy",
    "seed",
    "owner",
)
OUTPUTS = ("text", "json", "stream-json")
POLICIES = "default, developer, readonly, child, kiosk, agent, one of your own, or a file"
ACTIONS = ("new", "check", "test", "list", "add", "grant", "revoke", "enable", "disable", "remove")
SHORT = {
    "ps": "process.list",
    "history": "system.history",
    "undo": "system.undo",
    "redo": "system.redo",
    "status": "system.status",
    "jobs": "jobs.list",
}
"""Commands that are one syscall."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 done, 1 failed, 2 usage, 3 denied, 4 needs an answer, 5 not understood, 130 interrupted.
    """
    try:
        return _dispatch(_parsed(list(sys.argv[1:] if argv is None else argv)))
    except LlmasosError as error:
        print(f"llmasos: {error}", file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone; nothing is left to say to it.
        sys.stdout = None
        return 0


_CALL = re.compile(r"[a-z][\w-]*\.[a-z_]\w*", re.ASCII)
"""What a syscall is called."""


class _UnknownCommand(UsageError):
    """A word stands where a command should.

    Attributes:
        word: It.
    """

    def __init__(self, word: str, commands: Sequence[str]) -> None:
        meant = difflib.get_close_matches(word, commands, n=1)
        suggested = f"Did you mean {meant[0]!r}? " if meant else ""
        super().__init__(
            f"There is no command {word!r}.",
            f"{suggested}A sentence goes behind -c: llmasos -c {shlex.quote(word)}. "
            "'llmasos --help' lists the commands.",
        )
        self.word = word


class _Parser(argparse.ArgumentParser):
    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.dest == "command" and value not in (action.choices or ()):
            raise _UnknownCommand(str(value), list(action.choices or ()))
        super()._check_value(action, value)


def _parsed(argv: list[str]) -> argparse.Namespace:
    """The options; a sentence alone is one behind -c, as no command has a blank in it or is Chinese; so is a call."""
    try:
        return _parser().parse_args(argv)
    except _UnknownCommand as unknown:
        if _CALL.fullmatch(unknown.word):
            at = argv.index(unknown.word)
            # Options may stand behind it, as they may behind a command.
            end = next((n for n in range(at, len(argv)) if argv[n].startswith("--")), len(argv))
            return _parser().parse_args([*argv[:at], "-c", shlex.join(argv[at:end]), *argv[end:]])
        if unknown.word != argv[-1] or (unknown.word.isascii() and len(unknown.word.split()) < 2):
            raise
        return _parser().parse_args([*argv[:-1], "-c", argv[-1]])


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="llmasos",
        description="An operating system whose command interpreter is a local language model.",
        epilog="Without a command it opens the shell. Every option has a variable: --model is LLMASOS_MODEL.",
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    _settings(parser, default=None)
    parser.add_argument(
        "-c", dest="sentence", metavar="SENTENCE", help="do one sentence; what is piped in is appended to it"
    )
    parser.add_argument("--dry-run", action="store_true", help="show the program, do nothing")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, what: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=what, description=what)
        # Options may stand before or after the command.
        _settings(sub, default=argparse.SUPPRESS)
        return sub

    interpret = command("interpret", "print the program of a sentence as JSON; nothing is done")
    interpret.add_argument("sentence_", nargs="?", metavar="SENTENCE")
    interpret.add_argument("--jsonl", action="store_true", help='read lines {"id","utterance","tools"?} from stdin')
    interpret.add_argument("--tools", type=Path, metavar="FILE", help="add functions in MCP tools/list form")
    interpret.add_argument("--only-tools", action="store_true", help="leave the catalogue out")
    command("ps", "list the processes")
    top = command("top", "watch the processes and the engines; 'q' leaves")
    top.add_argument("--once", action="store_true", help="print one snapshot, as it does into a pipe")
    command("history", "what was done, by whom")
    command("jobs", "what runs in the background, and when")
    undo = command("undo", "take back the last change in this workspace")
    undo.add_argument("what", nargs="?", default="", help="how many, as 3; or which one, as '#41' in the history")
    command("redo", "do again what was taken back last")
    command("status", "load, memory, model, tokens per second")
    up = command("up", "carry the system in the background, so that it outlives shells")
    up.add_argument("--foreground", action="store_true", help="stay here until a signal or 'llmasos down'")
    up.add_argument("--unit", action="store_true", help="print a systemd user unit instead")
    command("down", "end the system in the background")
    serve = command("serve", "an OpenAI-compatible server for other programs, until Ctrl-C")
    serve.add_argument("--host", default="127.0.0.1", help="where to listen (127.0.0.1: this machine alone)")
    serve.add_argument("--port", type=int, default=8317, metavar="N", help="the port (8317); 0 takes a free one")
    serve.add_argument("--key-file", type=Path, metavar="FILE", help="holds the key that clients must have")
    readings = command("readings", "what you explained or confirmed: which sentences mean what")
    readings.add_argument("action", nargs="?", choices=("list", "remove"), default="list")
    readings.add_argument("number", nargs="?", default="", help="which one to remove")
    policy = command("policy", "the policies there are, mistakes in one, and why something may or may not be done")
    policy.add_argument("action", nargs="?", choices=("list", "check", "explain"), default="list")
    policy.add_argument("what", nargs="?", default="", help="a policy or its file; or a sentence or call to explain")
    policy.add_argument("--as", dest="subject", default="", metavar="SUBJECT", help="who would do it, as app:social")
    consents = command("consents", "what you agreed to for longer than once")
    consents.add_argument("action", nargs="?", choices=("list", "revoke"), default="list")
    consents.add_argument("number", nargs="?", default="", help="which one to revoke")
    calendar = command("calendar", "calendars of other programs: import, export, follow one read-only")
    calendar.add_argument(
        "action", nargs="?", choices=("list", "add", "remove", "sync", "import", "export"), default="list"
    )
    calendar.add_argument("what", nargs="?", default="", metavar="NAME|FILE", help="its name; or the file")
    calendar.add_argument(
        "place",
        nargs="?",
        default="",
        metavar="FOLDER|ADDRESS",
        help="add: where it is; asked for if left out",
    )
    calendar.add_argument("--login", action="store_true", help="add: ask for user and password")
    calendar.add_argument("--from", dest="since", default="", metavar="WHEN", help="export: from when on")
    calendar.add_argument("--to", dest="until", default="", metavar="WHEN", help="export: until when")
    device = command("device", "the devices there are, and the MQTT brokers that they come from")
    device.add_argument(
        "action", nargs="?", choices=("list", "sources", "connect", "disconnect", "reconnect"), default="list"
    )
    device.add_argument("name", nargs="?", default="", help="what the broker is called")
    device.add_argument("address", nargs="?", default="", help="connect: where it is, as mqtt://192.168.1.5")
    device.add_argument("--login", action="store_true", help="connect: ask for user and password")
    command("init", "set up keys, policy and model, in a minute; a first start does without")
    command("doctor", "check this installation")
    command("log", "print the program's own log, which is sealed on disk")
    audit = command("audit", "what was asked of the kernel and what it decided, tied so that no change goes unseen")
    audit.add_argument("action", nargs="?", choices=("show", "verify", "export", "accept", "key"), default="show")
    audit.add_argument("--log", default="", metavar="FOLDER", help="verify: a copied log instead of the home's")
    audit.add_argument("--anchor", default="", metavar="FILE", help="verify: the checkpoints of that log")
    audit.add_argument("--key", default="", metavar="HEX", help="verify: the public key of its home")
    backup = command("backup", "copy the whole home into one file, sealed, also while it is used; or try one out")
    backup.add_argument("paths", nargs="+", metavar="FOLDER|FILE|verify FILE")
    backup.add_argument("--with-keys", action="store_true", help="put the keyring in, wrapped")
    restore = command("restore", "put a backup back, once it has been tried out")
    restore.add_argument("file", type=Path, metavar="FILE")
    restore.add_argument("--into", default="", metavar="FOLDER", help="to another place than the home")
    restore.add_argument("--replace", action="store_true", help="set the home that is there aside")
    export = command("export", "write everything that is kept as open files")
    export.add_argument("folder", type=Path, metavar="FOLDER")
    command("wipe", "erase the home for good, keys first")
    keyring = command("keys", "what protects the home, and how much its keys were used; or new keys")
    keyring.add_argument("action", nargs="?", choices=("show", "rotate", "seal-pages", "unseal-pages"), default="show")
    keyring.add_argument("--data", action="store_true", help="rotate: seal all that is kept anew, too")
    command("recover", "open the home with the recovery code, and choose a passphrase")
    _models(command("model", "the models there are: look, choose, measure, shrink, train"))
    for kind in ("plugin", "app"):
        made = command(kind, f"{kind}s by anybody: make one, check and test it, add it, say what it may do")
        made.add_argument("action", choices=ACTIONS)
        made.add_argument("what", nargs="?", default="", metavar="NAME|FOLDER", help="a name, or where it is")
        made.add_argument("--into", type=Path, metavar="FOLDER", help="where 'new' makes its folder (the current one)")
    bench = command("bench", "measure; from a checkout")
    bench.add_argument("name")
    return parser


def _models(model: argparse.ArgumentParser) -> None:
    model.add_argument("action", choices=("list", "info", "use", "eval", "quantize", "train"))
    model.add_argument(
        "name", nargs="?", default="", metavar="MODEL|TASK", help="a model; train: what it will be called"
    )
    model.add_argument(
        "what", nargs="?", default="", metavar="TYPE|EXAMPLES", help="quantize: q4_k_m, ...; train: JSONL"
    )
    model.add_argument("--text", type=Path, metavar="FILE", help="eval, quantize: the text for perplexity")
    model.add_argument("--pairs", type=Path, metavar="FILE", help='eval: lines {"source","target"}: exact, BLEU, chrF')
    model.add_argument("--prompt", default="{source}", help="eval: what the model is asked with each {source}")
    model.add_argument("--limit", type=int, default=0, metavar="N", help="eval: at most so many pairs")
    model.add_argument("--out", type=Path, metavar="FILE", help="quantize: where to")
    model.add_argument("--prune-layers", default="", metavar="N-M,...", help="quantize: blocks to leave out, from 0")
    for name, kind, default, what in (
        ("held-out", float, 0.25, "share of the examples that it is tried on"),
        ("rank", int, 8, "of the adapter"),
        ("rate", float, 1e-3, "the highest learning rate"),
        ("epochs", int, 8, "times that each example is seen, at most"),
        ("minutes", float, 10.0, "when to end at the latest"),
    ):
        model.add_argument(f"--{name}", type=kind, default=default, metavar="N", help=f"train: {what} ({default:g})")


def _settings(parser: argparse.ArgumentParser, default: Any) -> None:
    group = parser.add_argument_group("settings")
    group.add_argument(
        "--workspace", default=default, metavar="FOLDER", help="the folder that files.* sees (the current one)"
    )
    group.add_argument("--home", default=default, metavar="FOLDER", help="the folder of all state")
    group.add_argument(
        "--model",
        default=default,
        metavar="NAME|FILE|openai:URL/NAME",
        help="the model that talks: a known name, a GGUF file, or one on an OpenAI-compatible server",
    )
    group.add_argument(
        "--translator", default=default, metavar="NAME|FILE|openai:URL/NAME", help="the model that translates"
    )
    group.add_argument(
        "--interpreter-model",
        default=default,
        metavar="FILE",
        help="a GGUF file that interprets instead of the shipped pair",
    )
    group.add_argument(
        "--quantization", default=default, choices=("auto", "q8_0", "q4_0", "as-shipped"), help="of the default model"
    )
    group.add_argument("--threads", default=default, metavar="N", help="threads of a model context; 0 chooses")
    group.add_argument(
        "--lanes", default=default, metavar="N", help="contexts of the model that talks, side by side; 0 chooses"
    )
    group.add_argument(
        "--conversations", default=default, metavar="N",
        help="how many it holds at once with memory of their own, 32 MB each; 0 lets all share 80 MB",
    )  # fmt: skip
    group.add_argument("--policy", default=default, metavar="NAME|FILE", help=POLICIES)
    group.add_argument("--seed", default=default, metavar="N", help="seed of all sampling; -1 draws one")
    group.add_argument("--owner", default=default, metavar="NAME", help="who the person is")
    # A flag that isn't given must not hide its variable, so its default is None, not False.
    group.add_argument(
        "--yes", action="store_const", const=True, default=default, help="answer consent questions with yes"
    )
    group.add_argument(
        "--no-memory", dest="remember", action="store_const", const=False, default=default,
        help="keep nothing of this session; it begins empty",
    )  # fmt: skip
    group.add_argument("--output", default=default, choices=OUTPUTS, help="how results are printed")
    group.add_argument(
        "--json", dest="output", action="store_const", const="json", default=default, help="the same as --output json"
    )


def _dispatch(args: argparse.Namespace) -> int:
    args.output = args.output or os.environ.get("LLMASOS_OUTPUT")
    if args.output not in (None, *OUTPUTS):
        raise UsageError(f"LLMASOS_OUTPUT is {args.output!r}.", f"It is one of: {', '.join(OUTPUTS)}.")
    if args.version:
        from importlib.metadata import version

        print(f"llmasos {version('llmasos')}")
        return 0
    if args.command == "bench":
        from llmasos.shell.bench import run_bench

        return run_bench(args.name, as_json=args.output == "json")
    from llmasos.core.base.settings import Settings

    said = {name: getattr(args, name, None) for name in (*OPTIONS, "yes", "remember")}
    if args.command == "model" and args.name and args.action not in ("train", "use"):
        said["model"] = args.name
    settings = Settings.load(**said)
    if args.command == "model":
        return _model(settings, args)
    if args.command == "doctor":
        from llmasos.shell.doctor import run_doctor

        return asyncio.run(run_doctor(settings, as_json=args.output == "json"))
    if args.command == "top":
        from llmasos.shell.top import run_top

        as_json = args.output in ("json", "stream-json")
        return asyncio.run(run_top(settings, once=args.once, as_json=as_json))
    if args.command == "readings":
        from llmasos.shell.readings import run_readings

        return asyncio.run(run_readings(settings, args.action, args.number, as_json=args.output == "json"))
    if args.command == "audit":
        from llmasos.shell.audit import run_audit

        as_json = args.output in ("json", "stream-json")
        return run_audit(settings, args.action, as_json=as_json, log=args.log, anchor=args.anchor, key=args.key)
    if args.command == "consents":
        from llmasos.shell.consents import run_consents

        return asyncio.run(run_consents(settings, args.action, args.number, as_json=args.output == "json"))
    if args.command == "calendar":
        from llmasos.shell.calendars import Wanted, run_calendar

        wanted = Wanted(args.action, args.what, args.place, login=args.login, since=args.since, until=args.until)
        return asyncio.run(run_calendar(settings, wanted, args.output or "text"))
    if args.command == "device":
        from llmasos.shell.devices import Wanted as Broker
        from llmasos.shell.devices import run_device

        device = Broker(args.action, args.name, args.address, args.login)
        return asyncio.run(run_device(settings, device, args.output or "text"))
    if args.command == "policy":
        from llmasos.shell.policies import run_policy

        as_json = args.output == "json"
        return asyncio.run(run_policy(settings, args.action, args.what, subject=args.subject, as_json=as_json))
    if args.command in ("plugin", "app"):
        from llmasos.shell.plugins import run_plugins

        return asyncio.run(
            run_plugins(settings, args.command, args.action, args.what, args.into, args.output or "text")
        )
    if args.command in ("backup", "restore", "export", "wipe"):
        return _whole_home(settings, args)
    if args.command in ("keys", "log", "recover"):
        from llmasos.shell import keys

        if args.command == "keys":
            return keys.run_keys(settings, args.action, data=args.data, as_json=args.output == "json")
        return keys.show_log(settings) if args.command == "log" else keys.recover(settings)
    if args.command == "init":
        from llmasos.shell.first_run import run_init

        return run_init(settings)
    if args.command in ("up", "down"):
        return _background(settings, args)
    if args.command == "serve":
        from llmasos.server.run import Place, run_serve
        from llmasos.shell import keys

        place = Place(args.host, args.port, args.key_file)
        return asyncio.run(run_serve(settings, place, ask=keys.asker(), announce=keys.announce))
    if args.command == "interpret":
        return _interpret(settings, args)
    sentence = SHORT.get(args.command or "", args.sentence)
    if args.command == "undo" and args.what:
        sentence = f"system.undo {args.what}"
    if sentence is not None:
        from llmasos.shell.once import Manner, run_once

        piped = "" if args.command else _piped()
        return asyncio.run(run_once(settings, sentence, Manner(args.dry_run, args.output or "text"), piped=piped))
    return _shell(settings, args)


def _model(settings: Settings, args: argparse.Namespace) -> int:
    as_json = args.output == "json"
    if args.action in ("list", "info", "use"):
        from llmasos.shell.models import show_models, use_model

        if args.action != "use":
            return show_models(settings, args.action, as_json=as_json)
        if not args.name:
            raise UsageError("Which model?", "For example: llmasos model use smollm2")
        return use_model(settings, args.name)
    from llmasos.services.models.training import Wanted
    from llmasos.shell.model_work import Work, run_eval, run_quantize, run_train

    # Where no seed is set, what is held out is the same each time, also in benchmarks/models/held.py.
    seed = settings.seed if settings.seed >= 0 else Wanted().seed
    wanted = Wanted(
        held_out=args.held_out, rank=args.rank, rate=args.rate, epochs=args.epochs, minutes=args.minutes, seed=seed
    )
    work = Work(
        args.what, text=args.text, pairs=args.pairs, prompt=args.prompt, limit=args.limit, out=args.out,
        prune=args.prune_layers, wanted=wanted,
    )  # fmt: skip
    if args.action == "train":
        return asyncio.run(run_train(settings, args.name, work, as_json=as_json))
    return (run_eval if args.action == "eval" else run_quantize)(settings, work, as_json=as_json)


def _whole_home(settings: Settings, args: argparse.Namespace) -> int:
    if args.command == "export":
        from llmasos.shell.export import run_export

        return run_export(settings, args.folder)
    if args.command == "wipe":
        from llmasos.shell.wipe import run_wipe

        return run_wipe(settings)
    from llmasos.core.base.paths import expanded
    from llmasos.shell.backup import run_backup, run_restore

    if args.command == "restore":
        return run_restore(settings, expanded(args.file), into=args.into, replaces=args.replace)
    return run_backup(settings, args.paths, with_keys=args.with_keys, as_json=args.output == "json")


def _background(settings: Settings, args: argparse.Namespace) -> int:
    from llmasos.shell import background

    if not settings.remember and args.command == "up":
        raise UsageError("A system in the background is there to keep things.", "Leave --no-memory out.")
    if args.command == "down":
        return asyncio.run(background.down(settings))
    if args.unit:
        print(background.unit(settings), end="")
        return 0
    return asyncio.run(background.serve(settings) if args.foreground else background.up(settings))


def _interpret(settings: Settings, args: argparse.Namespace) -> int:
    from llmasos.shell.interpret import interpret_lines, interpret_one, read_tools

    tools = read_tools(args.tools) if args.tools else []
    sentence = args.sentence_ if args.sentence_ is not None else args.sentence
    if args.jsonl:
        from llmasos.shell.seat import stdin_lines

        lines = stdin_lines() if sys.stdin is not None else ()
        work: Callable[[], Any] = lambda: interpret_lines(settings, lines, tools, only_tools=args.only_tools)  # noqa: E731
    elif sentence is not None:
        work = lambda: interpret_one(settings, sentence, tools, only_tools=args.only_tools)  # noqa: E731
    else:
        raise UsageError(
            "interpret needs a sentence, or --jsonl with lines on stdin.",
            "For example: llmasos interpret 'what time is it'",
        )
    return int(asyncio.run(work()))


def _piped() -> str:
    """What was piped in; nothing where stdin is a terminal or closed."""
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return ""
    return sys.stdin.buffer.read().decode(errors="replace")


def _shell(settings: Settings, args: argparse.Namespace) -> int:
    if sys.stdin is None or not sys.stdin.isatty():
        # Lines piped into the shell are requests, one a line; without a person there are no questions.
        from llmasos.shell.once import Manner, run_lines
        from llmasos.shell.seat import stdin_lines

        # As they come: another program may wait for the answer to one before it writes the next.
        lines = (line.decode(errors="replace") for line in (stdin_lines() if sys.stdin is not None else ()))
        return asyncio.run(run_lines(settings, lines, Manner(args.dry_run, args.output or "text")))
    if args.dry_run or args.output:
        raise UsageError(
            "--dry-run and --output go with -c, or with lines on stdin.",
            "For example: llmasos --dry-run -c 'what time is it'",
        )
    from llmasos.shell.start import run_shell

    return asyncio.run(run_shell(settings))


if __name__ == "__main__":
    sys.exit(main())
