"""Measuring how real a clip is: judges, measures, protocols, report."""
