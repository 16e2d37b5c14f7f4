"""The grader: a folder of notebooks -> grades, a feedback page each, and what went wrong.

``bn-tutorial grade A1 SUBMISSIONS_DIR --out RESULTS_DIR`` is its command. What a student wrote
runs in a process of its own, in a sandbox; reference, cases and scoring stay outside of it, and
between them go only numbers.

What that does not prevent: a student's code shares its process with the worker, so it can answer
in the worker's name. Such an answer is a right or a wrong number like any other and never points;
but who rewrites the worker, or switches PyTorch's modes off, can hide a call of PyTorch's own batch
norm. A function may also tell the kinds of cases apart; stored numbers are of no use, since each
task is tested with secret inputs too. A bug in the kernel or in bubblewrap would open the sandbox.
"""
