"""The page behind a signed link on which an approver reads about a candidate and decides."""
