"""A block of a program that is traced, judged by itself as it ends: `headway.record`."""
