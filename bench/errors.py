"""What goes wrong in ways that the user can mend."""


class UserError(Exception):
    """Bad input. The message is one line: what was wrong and what would be right. Exit code 2."""


class BudgetSpent(Exception):
    """The budget ran out in the middle of something that is not a step."""


class Diverged(Exception):
    """The loss is no longer finite."""
