"""What becomes of a registered candidate: judged, decided, recorded, and looked after while it waits."""
