"""View: candidates and champions."""

import streamlit as st

from asof.ui.sights import Sight


def show(sight: Sight) -> None:
    """Show the view."""
    st.write(sight.release.name)
