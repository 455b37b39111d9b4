"""The verbs joined up; read as the documentation of the product."""
