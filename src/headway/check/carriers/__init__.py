"""Carriers: what units run on."""
