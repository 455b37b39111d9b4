"""The flows, tested whole on small projects."""
