"""Use cases: functions whose dependencies are their arguments."""
