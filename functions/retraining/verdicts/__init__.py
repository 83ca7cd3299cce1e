"""How a candidate is judged: the rules and an evaluation make a verdict. Pure: no module here knows AWS."""
