"""The forward market beside forecasts: what needs both the marketplace and analytics."""
