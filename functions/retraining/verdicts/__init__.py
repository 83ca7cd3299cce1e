"""Rules and an evaluation make a verdict. Pure: nothing here knows AWS."""
