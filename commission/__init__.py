"""The afternoon before: may a model set go on stage, on this machine and with which setting? No web."""
