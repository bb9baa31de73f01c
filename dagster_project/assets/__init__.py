"""The assets: nouns, and thin. Each picks the work, calls a room beside, returns figures."""
