"""The pages of the app; `streamlit run app/server.py` shows them with security headers."""

import sys
from pathlib import Path

# Streamlit adds the folder of this file to the path, not its parent.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app import screen

screen.open_app()
