"""Where Streamlit starts: `streamlit run app/main.py`. What every page shares is in `screen`."""

import sys
from pathlib import Path

# Streamlit puts the folder of this file on the path, not the one above it.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app import screen

screen.open_app()
