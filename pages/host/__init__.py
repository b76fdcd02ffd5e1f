"""The host's page and routes."""
