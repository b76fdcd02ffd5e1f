"""The booth's screens, a file each: what it is made of, what it shows of a visit, what its events do."""
