"""The pages for people: what the service has to say, as HTML."""
