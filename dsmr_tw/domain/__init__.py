"""The ground floor: what a smart meter says and what it means, in pure values and functions."""
