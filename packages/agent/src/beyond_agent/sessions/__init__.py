"""Conversations on disk: one file each, a tree of entries that is only ever appended to, and one writer at a time.

- `entries` are the lines; `tree` is what they form, `outline` what is known of a session without its bodies
- `scan` reads a file once, `context` makes a core session of the active branch, `recorder` writes what a run changes
- `log` appends, `lease` says who may; a `book` is a log and its outline, kept alike
- `stored` is an open session, `views` what it shows of its tree
- `store` opens, makes, copies and deletes them, `finder` finds and lists; `memory` has the same surface and no folder
- `export_html` is a session as a page to read
"""
