"""Exams and fakes: what authors of adapters, lookups and estimators run against their own."""
