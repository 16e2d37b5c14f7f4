"""A filter of system calls for the sandbox: no new processes or threads, no sockets.

Without new processes nothing can be left running, a fork storm has nothing to storm with, and the
limit on the memory of a process is one on all of it. Without new threads the worker sees every
operation of PyTorch's that a function does. Memory that no limit counts is refused too.

The filter is a program of the kernel's "classic BPF": instructions of 8 bytes that look at the
number of a system call. See seccomp(2) and bwrap(1), ``--seccomp``.
"""

import errno
import platform
import struct

# what the two architectures call themselves in the kernel's audit numbers, and their calls
ARCHITECTURES = {
    "x86_64": (0xC000003E, {
        "clone": 56, "clone3": 435, "fork": 57, "vfork": 58, "socket": 41, "socketpair": 53,
        "shmget": 29, "msgget": 68, "semget": 64, "mq_open": 240, "memfd_create": 319,
        "memfd_secret": 447, "io_uring_setup": 425, "ptrace": 101, "process_vm_readv": 310,
        "process_vm_writev": 311, "unshare": 272, "setns": 308, "mount": 165, "umount2": 166,
        "pivot_root": 155, "chroot": 161, "keyctl": 250, "add_key": 248, "request_key": 249,
        "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "open_by_handle_at": 304,
    }),
    "aarch64": (0xC00000B7, {
        "clone": 220, "clone3": 435, "socket": 198, "socketpair": 199, "shmget": 194,
        "msgget": 186, "semget": 190, "mq_open": 180, "memfd_create": 279, "memfd_secret": 447,
        "io_uring_setup": 425, "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271,
        "unshare": 97, "setns": 268, "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51,
        "keyctl": 219, "add_key": 217, "request_key": 218, "bpf": 280, "perf_event_open": 241,
        "userfaultfd": 282, "open_by_handle_at": 265,
    }),
}  # fmt: skip
X32 = 0x40000000  # the bit of x86's third set of calls

LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER, ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000


def program():
    """Return the filter for this machine: bytes, or None for an architecture not listed here."""
    if platform.machine() not in ARCHITECTURES:
        return None
    architecture, calls = ARCHITECTURES[platform.machine()]
    # (operation, value, instructions to skip if so, and if not)
    code = [
        (LOAD, ARCHITECTURE, 0, 0),
        (EQUAL, architecture, 1, 0),
        (RETURN, KILL, 0, 0),
        (LOAD, NUMBER, 0, 0),
        *_return_if(AT_LEAST, X32, REFUSE | errno.EPERM),
    ]
    for name, number in calls.items():
        # without clone3 the C library takes clone, and then says what is not permitted
        code += _return_if(
            EQUAL, number, REFUSE | (errno.ENOSYS if name == "clone3" else errno.EPERM)
        )
    code.append((RETURN, ALLOW, 0, 0))
    return b"".join(struct.pack("=HBBI", op, yes, no, value) for op, value, yes, no in code)


def _return_if(operation, value, result):
    return (operation, value, 0, 1), (RETURN, result, 0, 0)
