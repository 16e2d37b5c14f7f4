"""Answers that leave the task to PyTorch."""

from submissions.base import ALL, RIGHT, Case, forward, inside, wrong

CALL = "(x, None, None, weight, bias, training=True, eps=eps)"
FLAT = "(x.T.contiguous(), x.shape[:1], eps=eps).T * weight + bias"
NATIVE = "(x, weight, bias, None, None, True, 0.1, eps)[0]"


def forbidden(source, *reason):
    return wrong(source, "write it yourself", *reason, kind="forbidden")


def hidden():
    """Return answers that don't name the normalization in full."""
    return {
        "alias": forbidden(
            "f = getattr(torch.nn.functional, 'batch_' + 'norm')\n" + inside("", f"return f{CALL}"),
            "batch_norm",
        ),
        "aten": forbidden(
            "f = getattr(torch.ops.aten, 'native_batch_' + 'norm')\n"
            + inside("", f"return f{NATIVE}"),
            "native_batch_norm",
        ),
        "jit": forbidden(
            "g = getattr(torch, 'batch_' + 'norm')\n"
            "f = torch.jit.trace(lambda *x: g(*x, None, None, True, 0.1, 1e-5, False),\n"
            "    (torch.rand(4, 4), torch.rand(4), torch.rand(4)))\n"
            + inside("", "return f(x.float(), weight.float(), bias.float()).double()")
        ),
        "layer_norm": forbidden(
            "f = getattr(torch.nn.functional, 'layer_' + 'norm')\n" + inside("", f"return f{FLAT}")
        ),
    }


def own_norms():
    thread = (
        "import threading\nresult = []\n"
        f"work = lambda: result.append(getattr(torch.nn.functional, 'batch_' + 'norm'){CALL})\n"
        "t = threading.Thread(target=work)\nt.start()\nt.join()"
    )
    subclass = (
        "class Late(torch.Tensor):\n"
        "    def detach(self):\n"
        f"        return getattr(torch.nn.functional, 'batch_' + 'norm'){CALL}\n"
    )
    hook = (
        "import sys\n"
        "y = torch.empty_like(x)\n"
        "def late(frame, event, _):\n"
        "    if event == 'call' and frame.f_code.co_name == 'encode':\n"
        "        sys.setprofile(None)\n"
        f"        y.copy_(getattr(torch.nn.functional, 'batch_' + 'norm'){CALL})\n"
        "sys.setprofile(late)"
    )
    return {
        **hidden(),
        "in_a_subclass": wrong(inside(subclass, "return x.as_subclass(Late)"), "got Late"),
        "in_a_profile_hook": forbidden(inside(hook, "return y"), "batch_norm"),
        "functional": forbidden(
            inside("import torch.nn.functional as F", f"return F.batch_norm{CALL}"),
            "torch.nn.functional.batch_norm",
        ),
        "layer": forbidden(
            "from torch import nn\n"
            + inside("", "return nn.BatchNorm1d(x.shape[1], eps=eps)(x.float())"),
            "torch.nn.functional.batch_norm",
        ),
        "imported_inside": forbidden(
            inside("from torch.nn.functional import batch_norm as g", f"return g{CALL}")
        ),
        "in_a_helper": forbidden(
            "import torch.nn.functional as F\n"
            f"def g(x, weight, bias, eps): return F.batch_norm{CALL}\n"
            + inside("", "return g(x, weight, bias, eps)")
        ),
        "compared_beside": Case(
            forward(
                "import torch.nn.functional as F\n"
                + RIGHT
                + "x = torch.rand(4, 3)\nF.batch_norm(x, None, None, training=True)"
            ),
            ALL,
        ),
        "in_a_thread": wrong(inside(thread, "return result[0]"), "can't start new thread"),
    }
