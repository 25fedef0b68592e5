"""Looks for bytes that break the SMPP gateway, guided by coverage: python -m tests.fuzz SECONDS. Needs atheris.

What reaches something new is added to the corpus, and takes the place of what is longer and reaches no more. Bytes that
break it are left beside the corpus, as crash-…, and the exit status is not 0.
"""

import asyncio
import logging
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
CORPUS = FOLDER / "corpus"
LONGEST = 4096


def fuzz(arguments: list[str]) -> None:
    """Does not return."""
    import atheris

    with atheris.instrument_imports(include=["app.gateways.smpp", "app.domain"]):
        from tests.fuzz.smpp import look_at

    logging.disable()
    loop = asyncio.new_event_loop()
    atheris.Setup([sys.argv[0], *arguments], lambda data: look_at(data, loop.run_until_complete))
    atheris.Fuzz()


def run(*arguments: str) -> int:
    command = [sys.executable, "-m", "tests.fuzz", "fuzz", f"-max_len={LONGEST}", *arguments]
    return subprocess.run(command, check=False).returncode


def main(seconds: int) -> int:
    known = len(list(CORPUS.iterdir()))
    code = run(f"-max_total_time={seconds}", f"-artifact_prefix={FOLDER}/", "-print_final_stats=1", str(CORPUS))
    print(f"{known} in the corpus before, {len(list(CORPUS.iterdir()))} now")
    return code


if __name__ == "__main__":
    if sys.argv[1] == "fuzz":
        fuzz(sys.argv[2:])
    sys.exit(main(int(sys.argv[1])))
