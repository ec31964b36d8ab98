"""Where readings stay: one module per database, the schema files, and the migrations between them."""
