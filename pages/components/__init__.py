"""Components of our own, a folder each: Python, JS, CSS. They know neither store nor generator."""
