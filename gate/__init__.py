"""The privacy gate and the validators of formats: for a provider at home, and for the hall."""
