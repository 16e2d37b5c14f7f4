"""What is mounted in the sandbox: the worker, and the messages it exchanges with the grader."""
