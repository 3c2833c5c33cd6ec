"""A synthetic city of any size, for measurements and for trying out: nothing in it is measured."""
