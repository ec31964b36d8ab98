"""A disk whose power can be cut, and the tests of what the service finds on it afterwards."""
