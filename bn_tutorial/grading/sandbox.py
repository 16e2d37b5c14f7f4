"""The sandbox: what a worker process is started with, and what it may use."""

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bn_tutorial.grading import _seccomp

BOX = Path(__file__).with_name("box")
LAUNCH = ("-c", "import cells, wire, worker; worker.serve(wire, cells)")
ISOLATION = (
    *("--unshare-user", "--unshare-all", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL"),
    *("--die-with-parent", "--new-session"),
)
SYSTEM = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache")

NO_SANDBOX = "; or grade without a sandbox: --unconfined"
ELSEWHERE = "; on Windows WSL 2 is one, on a Mac a virtual machine"
PERMIT = (
    "Ubuntu 24.04 and later: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0, until the "
    "next start. Docker: docker run --security-opt seccomp=unconfined "
    "--security-opt apparmor=unconfined"
)


class SandboxError(RuntimeError):
    """No worker can be started here; the message is for the teacher."""


@dataclass(frozen=True)
class Limits:
    """What a student's code may use.

    Attributes
    ----------
    call, submission : float
        Seconds of processor time for a call or a statement, and for all of a submission.
    start : float
        Seconds of processor time until a worker must have imported PyTorch.
    patience : float
        Seconds by the clock for each of these: for code that waits, or a machine that is busy.
    memory : int
        Bytes of address space of the process, beyond the size of PyTorch's libraries.
    folder, file : int
        Bytes in its only writable folder, a file system in memory, and in one file.
    files : int
        Open at a time.
    """

    call: float = 10.0
    submission: float = 60.0
    start: float = 60.0
    patience: float = 5.0
    memory: int = 3 << 30
    folder: int = 64 << 20
    file: int = 16 << 20
    files: int = 128


def check():
    """Raise a SandboxError, for the teacher, where this machine can't confine a worker."""
    if (reason := lacking()) is not None:
        other = "" if platform.system() == "Windows" else NO_SANDBOX
        raise SandboxError(reason + other)


def check_unconfined():
    """Raise a SandboxError where not even a worker without a sandbox can be started."""
    if platform.system() == "Windows":
        raise SandboxError(
            "--unconfined: expected Linux or macOS, got Windows; grade in WSL 2, with the sandbox"
        )


def lacking():
    """Return what this machine lacks for a sandbox, found by starting one, or None.

    A container may have bubblewrap and not permit what it does.
    """
    if platform.system() != "Linux":
        return f"expected Linux for the sandbox, got {platform.system()}{ELSEWHERE}"
    if shutil.which("prlimit") is None:
        return "expected prlimit for the sandbox, got none: apt-get install util-linux"
    if shutil.which("bwrap") is None:
        return "expected bubblewrap for the sandbox, got none: apt-get install bubblewrap"
    command = ["bwrap", *ISOLATION, "--ro-bind", "/", "/", "--dev", "/dev", "--tmpfs", "/tmp"]
    try:
        done = subprocess.run([*command, "true"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    else:
        if done.returncode == 0:
            return None
        said = done.stderr[:300].decode(errors="replace").strip() or f"exit {done.returncode}"
    return (
        f"expected bubblewrap to start a sandbox, got {said!r}: it is installed, but the system "
        f"must permit it user namespaces. {PERMIT}"
    )


def confined(limits, filter_fd=None):
    """Return the command that starts a worker in bubblewrap.

    It sees the system's libraries, the interpreter, the installed packages and the files of
    ``box``, all read-only; one empty folder to write to; no network, no home, no ``/proc``.

    ``/proc`` is left out on purpose: where root starts bubblewrap, ``/proc/sys`` is writable in the
    sandbox (bubblewrap 0.8), and PyTorch does without.

    From ``filter_fd``, if there is any, bubblewrap reads the filter of system calls.
    """
    packages = [f"/packages/{i}" for i, _ in enumerate(_packages())]
    command = [*_prlimit(limits), "bwrap", *ISOLATION]
    for path in SYSTEM:
        command += ["--ro-bind-try", path, path]
    command += ["--dev", "/dev", "--remount-ro", "/dev"]  # /dev/shm has no limit
    for path in _interpreter():
        command += ["--ro-bind", path, path]
    for source, target in zip(_packages(), packages, strict=True):
        command += ["--ro-bind", str(source), target]
        if (source / "bn_tutorial").is_dir():  # installed, not a checkout
            command += ["--tmpfs", f"{target}/bn_tutorial"]
            if any(source.is_relative_to(path) for path in _interpreter()):
                command += ["--tmpfs", f"{source}/bn_tutorial"]
    command += ["--ro-bind", str(BOX), "/box", "--size", str(limits.folder), "--tmpfs", "/work"]
    command += ["--remount-ro", "/", "--chdir", "/work", "--clearenv"]
    for name, value in _environment("/box", *packages, home="/work").items():
        command += ["--setenv", name, value]
    if filter_fd is not None:
        command += ["--seccomp", str(filter_fd)]
    return [*command, *_python()]


def unconfined(limits):
    """Return the command that starts a worker as an ordinary process."""
    return [*(_prlimit(limits) if shutil.which("prlimit") else []), *_python()]


def _environment(*paths, home):
    """Return the variables of a worker, nothing of the teacher's: dict.

    ``paths`` are where Python finds modules, ``home`` is the folder that it may write to.
    """
    return {
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        "HOME": home,
        "TMPDIR": home,
        "USER": "student",
    }


def filter_fd():
    """Return the end of a pipe that the filter of system calls is read from: int or None."""
    if (program := _seccomp.program()) is None:
        return None
    read, write = os.pipe()
    os.write(write, program)  # far less than a pipe holds
    os.close(write)
    return read


def unconfined_variables(home):
    """Return the variables of an unconfined worker, whose folder is ``home``."""
    return _environment(str(BOX), *map(str, _packages()), home=home)


def _prlimit(limits):
    seconds = int(2 * limits.submission + limits.start)  # of processor time; the grader's are first
    memory = limits.memory + _size_of_libraries()
    return [
        *("prlimit", f"--cpu={seconds}", f"--as={memory}", f"--nofile={limits.files}"),
        *(f"--fsize={limits.file}", "--core=0", "--"),
    ]


@cache
def _size_of_libraries():
    """Return the size of the files that importing PyTorch maps: 0.5 GB, with CUDA several."""
    folders = [packages / part for packages in _packages() for part in ("torch/lib", "nvidia")]
    files = (path for folder in folders for path in folder.rglob("*.so*") if not path.is_symlink())
    return sum(path.stat().st_size for path in files)


def _python():
    # the base interpreter: without .pth files, the student's code finds no checkout of the course
    return [os.path.realpath(sys.executable), "-s", "-S", "-P", *LAUNCH]


def _interpreter():
    """Return the paths that the interpreter needs and that are not the system's."""
    prefix = sys.base_prefix
    if Path(prefix) == Path("/usr"):
        return [os.path.realpath(sys.executable)]  # its library is in /usr/lib
    return [prefix]


def _packages():
    """Return the folders that hold PyTorch, NumPy and IPython, which may be the same."""
    specs = [importlib.util.find_spec(name) for name in ("torch", "numpy", "IPython")]
    return list(dict.fromkeys(Path(spec.origin).resolve().parents[1] for spec in specs))
