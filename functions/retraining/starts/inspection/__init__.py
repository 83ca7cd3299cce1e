"""Pure: inspects the first bytes (the head) of a file that landed, before an execution is paid for.

It finds the wrong file, the wrong format and the wrong columns. DataPreProcessing checks every row later.
`formats` tells files apart by their bytes, `text` decodes, `lines` splits into values, `header` finds the
columns, `cells` says what a value may be, `rows` reads row by row, `partitions` reads folders, `heads` says
how much is read, and `files` puts them together.
"""

from retraining.starts.inspection.files import inspect
from retraining.starts.inspection.heads import Short, head_bytes, longer, text_bytes
from retraining.starts.inspection.problems import Fine, Problem

__all__ = ["Fine", "Problem", "Short", "head_bytes", "inspect", "longer", "text_bytes"]
