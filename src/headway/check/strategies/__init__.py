"""Strategies: which unit goes on. One a file, each with its source."""
