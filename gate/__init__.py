"""The privacy gate and the validators of formats: what a provider runs at home, and the hall too."""
