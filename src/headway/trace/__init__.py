"""Trace: what every thread and process of a program did, what it waited for, and who held what."""
