"""Answers that harm: they never end, take everything, cheat, or reach out of the sandbox."""

from pathlib import Path

from bn_tutorial import checks
from submissions.base import (
    ALL,
    FORWARD,
    NO_TASK,
    RIGHT,
    WITHOUT_FORWARD,
    WRONG,
    Case,
    answers,
    find,
    forward,
    inside,
    master,
    written,
    wrong,
)

REPO = Path(__file__).resolve().parents[2]
MARK = "bn-grading-background"  # in the command line and the files of what must not be left
LIST_FDS = "[fd for fd in range(3, 64) if fd_is_open(fd)]"
FD_IS_OPEN = """
import os
def fd_is_open(fd):
    try:
        os.fstat(fd)
        return True
    except OSError:
        return False
"""


def endless():
    swallow = (
        "import signal, time\n"
        "for n in range(1, 32):\n"
        "    try: signal.signal(n, lambda *_: None)\n"
        "    except (OSError, ValueError): pass\n"
        "while True:\n"
        "    try: time.sleep(60)\n"
        "    except BaseException: pass"
    )
    return {
        "endless": wrong(inside("while True: pass"), "longer than", kind="out of time"),
        "swallows_interrupts": Case(
            forward(inside(swallow)), WITHOUT_FORWARD, ("ran out of time",), task=NO_TASK
        ),
        "endless_cell": Case(forward(RIGHT + "\nwhile True: pass"), ALL),
        "endless_above": wrong(
            "while True: pass\nn = 3\n" + inside("", "return n * i"),
            *("NameError", "'i'"),
        ),
        "endless_first": Case(
            {"A1.ipynb": written(answers(contexts="def contexts(*_):\n    while True: pass"))},
            ALL - 4,
            ("longer than",),
            "out of time",
            "test_contexts",
        ),
        "os_exit": wrong(
            inside("import os\nos._exit(0)"), "ended its Python process", kind="no answer"
        ),
        "os_exit_cell": wrong(
            "import os\nos._exit(0)", "ended its Python process", kind="undefined"
        ),
        "crash": wrong(
            inside("import ctypes\nctypes.string_at(0)"),
            "ended its Python process",
            kind="no answer",
        ),
        "prints": Case(forward("for i in range(1_500_000): print(i)\n" + RIGHT), ALL),
        "allocates": wrong(inside("x = torch.ones(10 << 28)"), "memory"),
        "allocates_in_python": wrong(inside("x = bytearray(10 << 30)"), "MemoryError", "memory"),
        "fills_its_folder": wrong(
            inside("for i in range(100): open(f'file{i}', 'wb').write(bytes(15 << 20))"), "OSError"
        ),
    }


def processes():
    storm = "import os\nwhile True: os.fork()"
    quiet_storm = "import os\nfor _ in range(1000):\n    try: os.fork()\n    except OSError: pass\n"
    background = (
        "import os, subprocess, sys\n"
        f"loop = [sys.executable, '-S', '-c', 'import time; time.sleep(600)', {MARK!r}]\n"
        "try: subprocess.Popen(loop, start_new_session=True)\n"
        "except OSError: pass\n"
        "try:\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        os.execv(loop[0], loop)\n"
        "except OSError: pass\n"
    )
    return {
        "fork_storm": wrong(inside(storm), "PermissionError", "no other programs"),
        "quiet_fork_storm": Case(forward(quiet_storm + RIGHT), ALL),
        "background": Case(forward(background + RIGHT), ALL),
        "execs": wrong(
            inside(
                "import os, sys\n"
                f"os.execv(sys.executable, [sys.executable, '-S', '-c', 'pass', {MARK!r}])"
            ),
            "ended its Python process",
            kind="no answer",
        ),
    }


def cheats():
    all_equal = (
        "torch.allclose = torch.equal = lambda *a, **k: True\n"
        "torch.testing.assert_close = lambda *a, **k: None\n"
        "torch.Tensor.__eq__ = lambda *a: True\n"
        "torch.Tensor.allclose = lambda *a, **k: True\n"
    )
    helper = (
        "class Right:\n    passed, bug, message = True, None, 'right'\n"
        "    def score(self, points): return points\n"
        "checks.batch_norm_forward = lambda f: Right()\n"
    )
    package = (
        "import sys, types\n"
        "fake = types.ModuleType('bn_tutorial')\nfake.checks = fake\n"
        "fake.batch_norm_forward = lambda f: 5\n"
        "for name in list(sys.modules):\n"
        "    if name.startswith('bn_tutorial') or name == 'wire': sys.modules[name] = fake\n"
    )
    edited = answers(batch_norm_forward=WRONG)
    find(edited, FORWARD)["source"] = "5"
    find(edited, FORWARD)["metadata"]["nbgrader"]["points"] = 1000
    find(edited, FORWARD)["metadata"]["bn_tutorial"] = {"check": "leftover"}
    find(edited, "setup")["source"] = "raise SystemExit"
    shadow = b"raise SystemExit('shadowed')"
    return {
        "patched_torch": wrong(all_equal + WRONG),
        "overwritten_helper": wrong(helper + WRONG),
        "overwritten_package": wrong(package + WRONG),
        "edited_tests": Case({"A1.ipynb": written(edited)}, WITHOUT_FORWARD, (), "wrong"),
        "shadowing_module": Case(
            {
                **forward(RIGHT),
                "bn_tutorial.py": shadow,
                "torch.py": shadow,
                "bn_tutorial/checks/__init__.py": shadow,
            },
            ALL,
        ),
        **disturbing(),
        **stored(),
    }


def stored():
    """Return an answer to all tasks that has the right ones stored, in the order of the calls."""
    namespace = {}
    for cell in master()["cells"]:
        if cell["cell_type"] == "code" and "checks." not in "".join(cell["source"]):
            exec("".join(cell["source"]), namespace)
    sources = {}
    for name in ("contexts", "uniform_loss", "bigram_loss", "batch_norm_forward"):
        answers_in_order = []

        def remember(*arguments, right=namespace[name], answers_in_order=answers_in_order):
            value = right(*arguments)
            answers_in_order.append(value.tolist() if hasattr(value, "tolist") else value)
            return value

        assert getattr(checks, name)(remember).passed
        value = "answers.pop(0)"
        value = f"torch.tensor({value}, dtype=torch.float64)" if "norm" in name else value
        sources[name] = f"answers = {answers_in_order!r}\ndef {name}(*_): return {value}"
        sources[name] = sources[name].replace("answers", f"answers_{name}")
    return {
        "stored": Case({"A1.ipynb": written(answers(**sources))}, 0, ("other inputs",), "wrong")
    }


def sends(statements, data):
    """Return a forward pass that writes into every file that is open."""
    return FD_IS_OPEN + inside(
        f"{statements}\n"
        f"for fd in {LIST_FDS}:\n"
        f"    try: os.write(fd, {data})\n"
        "    except OSError: pass"
    )


def disturbing():
    framed = "struct.pack('>I', len(data)) + data"
    message = (
        "import json, struct\n"
        "data = {'id': '0' * 16, 'value': 1, 'changed': [], 'points': 5, 'passed': True}\n"
        "data = json.dumps(data).encode()"
    )
    result = (
        "import json, struct, sys\n"
        "frame = sys._getframe()\n"
        "while 'request' not in frame.f_locals: frame = frame.f_back\n"
        "id = frame.f_locals['request']['id']\n"
        "data = {'id': id, 'value': None, 'changed': [], 'points': 5, 'passed': True}\n"
        "data = json.dumps(data).encode()"
    )
    pickled = (
        "import pickle, struct\n"
        f"class Bomb:\n    def __reduce__(self): return (open, ('/tmp/{MARK}', 'w'))\n"
        "data = pickle.dumps(Bomb())"
    )
    noticed = {
        "forged_message": sends(message, framed),
        "endless_message": sends("", r"b'\xff\xff\xff\xff'"),
        "pickle": sends(pickled, framed),
    }
    return {
        **{k: wrong(v, "grader's messages", kind="no answer") for k, v in noticed.items()},
        "forged_result": wrong(sends(result, framed), kind="not attempted"),
    }


def escapes(port, outside, others_file):
    """Return the cases that reach out: to a port that listens, to a file that must not change."""
    reads = f"open({str(REPO / 'bn_tutorial' / 'checks' / 'bugs' / 'running.py')!r}).read()"
    writes = f"open({str(outside)!r}, 'w').write('x')"
    socket = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=1)"
    everywhere = (
        "import os\n"
        "import torch\n"
        "inside = [f'/{name}' for name in os.listdir('/')]\n"
        f"for folder in ['/', '/tmp', '/dev/shm', '/usr/lib', torch.__path__[0], {str(REPO)!r},\n"
        f"        {str(outside.parent)!r}, {str(Path.home())!r}, *inside]:\n"
        f"    try: open(folder + '/{MARK}', 'w').write('x')\n"
        "    except OSError: pass\n"
    )
    looks = (
        "import os\n"
        f"for path in ['/proc', '/sys', '/run', '/etc/passwd', '/usr/bin', {str(REPO)!r},\n"
        f"        {str(outside.parent)!r}, {str(others_file.parent)!r}]:\n"
        "    assert not os.path.exists(path), path\n"
        "files = {'__init__.py', '__pycache__', 'wire.py', 'worker.py'}\n"
        "assert set(os.listdir('/box')) <= files\n"
        "assert os.listdir('/work') == []\n"
        "assert not os.access('/proc/sys/kernel/core_pattern', os.W_OK)\n"
        "assert os.getuid() == 65534 and 'SECRET' not in os.environ\n"
    )
    return {
        "reads_the_grader": wrong(inside(reads), "FileNotFoundError", "none of your files"),
        "imports_the_course": wrong(
            inside("from bn_tutorial.layers import BatchNorm"), "ModuleNotFoundError"
        ),
        "loopback": wrong(inside(socket), "PermissionError", "no network"),
        "writes_outside": wrong(inside(writes), "Error", "none of your files"),
        "writes_everywhere": Case(forward(everywhere + RIGHT), ALL),
        "looks_around": Case(forward(looks + RIGHT), ALL),
    }
