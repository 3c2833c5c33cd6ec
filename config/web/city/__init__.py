"""The planner's place: the city's energy, data, mobility and communities, as figures to cite."""
