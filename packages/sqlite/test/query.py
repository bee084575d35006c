"""Answers SQL about a database file with the SQLite that Python brings: a line a row, its columns parted by "|"."""

import pathlib
import sqlite3
import sys

path, *statements = sys.argv[1:]
database = sqlite3.connect(pathlib.Path(path).absolute().as_uri() + "?mode=ro", uri=True)
for statement in statements:
    for row in database.execute(statement):
        print("|".join("" if value is None else str(value) for value in row))
