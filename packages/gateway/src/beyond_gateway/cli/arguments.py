"""The command line of `beyond-ai`: what each command takes, and one-line errors with exit status 2.

Imports nothing heavy, so that `--help` and `--version` answer at once.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypedDict, Unpack

_ABOUT = """\
LLM egress gateway: applications keep their OpenAI or Anthropic SDK and change only the base URL.

  beyond-ai dev                     try it: embedded providers, a ready key, exports to paste
  beyond-ai keygen                  make a signing key; paste what it prints into config.toml
  beyond-ai mint --key-file FILE    sign a key for a tenant
  beyond-ai doctor -c config.toml   see whether it can work: keys, files, NATS, providers
  beyond-ai run -c config.toml      serve (the word `run` may be left out)
  beyond-ai deny add 42             refuse a tenant, on every running gateway
"""
_U32 = 2**32 - 1
_U64 = 2**64 - 1


class DevArguments(NamedTuple):
    """What `beyond-ai dev` was given; `script` is None where the embedded providers answer by echo."""

    host: str
    port: int
    state_dir: Path
    script: Path | None


class _CommandOptions(TypedDict, total=False):
    description: str
    epilog: str


class _Parser(argparse.ArgumentParser):
    """argparse, with errors of one line and without guessing abbreviations."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        # What was typed is part of the message, and somebody may have typed a key.
        from beyond_gateway.redact import redact  # noqa: PLC0415 -- only a failing command pays for it

        self.exit(2, f"{self.prog}: {redact(message)} (see {self.prog} --help)\n")


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415 -- takes longer than all the rest of the start

        sys.stdout.write(f"beyond-ai {version('beyond-ai')}\n")
        parser.exit()


def default_state_dir(environ: Mapping[str, str]) -> Path:
    """Return where `dev` keeps its signing key: $XDG_STATE_HOME/beyond-ai, else ~/.local/state/beyond-ai."""
    state_home = environ.get("XDG_STATE_HOME")
    return (Path(state_home) if state_home else Path.home() / ".local" / "state") / "beyond-ai"


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return the arguments, `command` among them; exits 0 after help or version, 2 after one line on a mistake."""
    words = list(argv)
    # The contract's short form: options without a command mean `run`, as does nothing at all.
    if not words or (words[0].startswith("-") and words[0] not in {"-h", "--help", "--version"}):
        words.insert(0, "run")
    return _parser().parse_args(words)


def _parser() -> _Parser:
    parser = _Parser(prog="beyond-ai", description=_ABOUT)
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    def command(name: str, summary: str, **options: Unpack[_CommandOptions]) -> argparse.ArgumentParser:
        options.setdefault("description", summary)
        return commands.add_parser(name, help=summary, **options)

    run = command("run", "serve", epilog="Every key of the file can be set as AI_<KEY> in the environment, which wins.")
    run.add_argument("-c", "--config", type=Path, metavar="FILE", help="config.toml; without it, AI_* variables only")

    dev = command("dev", "serve with nothing configured: embedded providers, a generated key, exports to paste")
    dev.add_argument("--listen", default="127.0.0.1:8080", metavar="HOST:PORT", help="default: %(default)s")
    dev.add_argument("--state-dir", type=Path, metavar="DIR", help="default: ~/.local/state/beyond-ai")
    dev.add_argument(
        "--script", type=Path, metavar="FILE", help="JSON answers that the embedded providers give in turn"
    )

    doctor = command("doctor", "check config, keys, files, addresses, NATS, providers; exit 1 if anything fails")
    doctor.add_argument("-c", "--config", type=Path, metavar="FILE", help="config.toml; AI_* variables go over it")
    doctor.add_argument(
        "--timeout", type=_seconds, default=5.0, metavar="SECONDS", help="bound of each check, default 5"
    )
    doctor.add_argument("--all", action="store_true", help="reach providers without a pool key too")

    keygen = command("keygen", "make a signing key: a private file, and the public line for config.toml on stdout")
    keygen.add_argument(
        "--kid", type=_number(_U32), default=1, metavar="N", help="key id, default 1; raise it to rotate"
    )
    keygen.add_argument("--out", type=Path, metavar="FILE", help="private key file, default beyond-ai-<kid>.key")

    mint = command("mint", "sign a managed key for a tenant and print it")
    mint.add_argument("--key-file", required=True, metavar="FILE", help="private key file from keygen, or - for stdin")
    mint.add_argument("--kid", type=_number(_U32), default=1, metavar="N", help="key id of that file, default 1")
    mint.add_argument("--tenant", type=_number(_U64), required=True, metavar="N", help="who is billed")
    mint.add_argument(
        "--vpc", type=_number(_U64), required=True, metavar="N", help="network of the tenant, for usage rows"
    )
    mint.add_argument("--key-id", type=_number(_U64), metavar="N", help="makes a v2 key that can be denied by itself")

    inspect = command("inspect", "show what a managed key says; exit 1 if its signature does not hold")
    inspect.add_argument(
        "source", nargs="?", default="-", metavar="FILE", help="file with the key, default - for stdin"
    )
    proof = inspect.add_mutually_exclusive_group()
    proof.add_argument("-c", "--config", type=Path, metavar="FILE", help="check with the signing_keys of this file")
    proof.add_argument("--public-key", metavar="BASE64", help="check with this public key")

    deny = command("deny", "who is refused: add, remove and list entries of the deny-set, over NATS")
    changes = deny.add_subparsers(dest="change", required=True, metavar="CHANGE", parser_class=_Parser)
    listings = [doctor, keygen, mint, inspect]
    for name, summary in (
        ("add", "refuse a tenant, or one of its v2 keys, on every gateway within a second"),
        ("remove", "let it in again; exit 1 if it was not denied"),
        ("list", "print all that is denied"),
    ):
        change = changes.add_parser(name, help=summary, description=summary)
        change.add_argument(
            "-c", "--config", type=Path, metavar="FILE", help="config.toml with nats_url; or AI_NATS_URL"
        )
        listings.append(change)
        if name == "list":
            continue
        change.add_argument("tenant", nargs="?", type=_number(_U64), metavar="TENANT", help="number of the tenant")
        change.add_argument("--key-id", type=_number(_U64), metavar="N", help="one v2 key instead of a tenant")
        if name == "add":
            change.add_argument(
                "--reason", default="spend", metavar="TEXT", help="spend is 402; fraud or any other text is 403"
            )
            change.add_argument("--ttl", metavar="TIME", help="let it in again after 90s, 30m, 24h or 7d; else never")

    for listing in listings:
        listing.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _number(most: int) -> Callable[[str], int]:
    def parse_number(text: str) -> int:
        if not text.isascii() or not text.isdigit() or len(text) > 20 or int(text) > most:
            raise argparse.ArgumentTypeError(f"expected a number from 0 to {most}")
        return int(text)

    return parse_number


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 600:
        raise argparse.ArgumentTypeError("expected seconds from 0.1 to 600")
    return seconds
