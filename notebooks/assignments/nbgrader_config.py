"""How nbgrader makes the student versions: `make assignments`, or nbgrader in this folder."""

c = get_config()

c.CourseDirectory.course_id = "bn_tutorial"

# a stub returns None, as in the course's exercises: Run All succeeds without an attempt
c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE\npass"}

# a test cell that a student deleted comes back
c.OverwriteCells.add_missing_cells = True
