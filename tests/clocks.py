"""A host's clock that is wrong: programs that are started with it see another time of day, and go on at the same pace.

libfaketime would do it, were it not that with it Python's own sleep fails as soon as the monotonic clock is to be left
alone. This shifts what an administrator can set, and nothing else. Needs a C compiler.
"""

import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long long *shift;  /* seconds, in a file that all programs of a host have */
static int (*real_time)(clockid_t, struct timespec *);
static int (*real_wait)(sem_t *, const struct timespec *);

__attribute__((constructor)) static void begin(void) {
    real_time = dlsym(RTLD_NEXT, "clock_gettime");
    real_wait = dlsym(RTLD_NEXT, "sem_timedwait");
    int file = open(getenv("CLOCK_SHIFT"), O_RDONLY | O_CLOEXEC);
    if (file < 0) abort();
    void *found = mmap(NULL, sizeof *shift, PROT_READ, MAP_SHARED, file, 0);
    if (found == MAP_FAILED) abort();
    shift = found;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    if (!real_time) real_time = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real_time(clock, now);
    if (!failed && shift && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *shift;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *also) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (also) *also = found.tv_sec;
    return found.tv_sec;
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
    struct timespec really = *until;  /* the kernel knows nothing of a shift */
    if (shift) really.tv_sec -= *shift;
    return real_wait(semaphore, &really);
}
"""


class NoCompiler(Exception):
    """There is none on this machine."""


def compiled(folder: Path) -> Path:
    """What programs with a wrong clock are started with. Raises NoCompiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise NoCompiler("no C compiler on this machine: apt-get install gcc libc6-dev")
    source, library = folder / "clock.c", folder / "clock.so"
    source.write_text(SOURCE)
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


class Clock:
    """Of one host. It is right until somebody sets it."""

    def __init__(self, library: Path, file: Path) -> None:
        self._file = file
        file.write_bytes(struct.pack("q", 0))
        self.environment: Mapping[str, str] = {"LD_PRELOAD": str(library), "CLOCK_SHIFT": str(file)}

    def set_ahead(self, by_s: int) -> None:
        """At once, for every program of the host; below 0 it is behind."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("q", by_s))
