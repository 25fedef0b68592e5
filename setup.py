"""Compiles the engine's hot modules where ENGINE_COMPILE=1 asks for it; else there is nothing to build.

    ENGINE_COMPILE=1 pip install .                         as the image does
    ENGINE_COMPILE=1 python setup.py build_ext --inplace   beside the sources, as `make test-compiled` does in a copy

The sources stay as they are: mypyc makes C of the types that mypy checks. It needs a C compiler and Python's headers.
"""

import os

from setuptools import setup

COMPILED = (
    "engine/callbacks.py",
    "engine/events.py",
    "engine/ipc/backlog.py",
    "engine/ipc/board.py",
    "engine/ipc/bodies.py",
    "engine/ipc/in_flight.py",
    "engine/ipc/message.py",
    "engine/ipc/inbox_packet.py",
    "engine/ipc/unix_socket.py",
    "engine/task_worker/answers.py",
    "engine/task_worker/base_runner.py",
    "engine/task_worker/async_runner.py",
    "engine/task_worker/sync_runner.py",
    "engine/worker/dispatcher.py",
    "engine/worker/inbox_processor.py",
    "engine/worker/scheduler.py",
    "engine/worker/tasks.py",
)
"""What each task goes through. Heirs of a class that is here must be here, too."""
BUILD_NEEDS = ["mypy[mypyc]>=2.4", "setproctitle>=1.3.3", "uvloop>=0.19"]
"""The compiler, and what the engine imports that has types: they are checked first."""

if os.environ.get("ENGINE_COMPILE") == "1":
    try:
        from mypyc.build import mypycify
    except ImportError:  # the first look of an installer, which asks what the build needs
        setup(setup_requires=BUILD_NEEDS)
    else:
        setup(setup_requires=BUILD_NEEDS, ext_modules=mypycify([*COMPILED], opt_level="3", group_name="engine"))
else:
    setup()
