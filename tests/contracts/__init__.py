"""What every implementation of a port must hold, as mixins that its test case inherits."""
