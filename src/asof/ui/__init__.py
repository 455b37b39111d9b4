"""The page (Streamlit): a released model and its project in a browser, on this machine alone.

``app`` is the shell: it lists the views and chooses the release; each view is a module with ``show(sight)``, and what
it shows is computed by plain functions beside it. ``sights`` is what every view is given, ``launching`` starts
the server. Answers, reasons and lines are made by the flows, as those of the HTTP server are.
"""
