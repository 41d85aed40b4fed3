"""Check: find the schedule that breaks a program, show it, replay it."""
