"""Parts that Gradio has not, a folder each: Python, and the script that runs when the part appears."""


def literal(html: str) -> str:
    """Gradio reads a template twice, as Handlebars and as a JavaScript literal: neither may find work."""
    for sign in "\\`${}":
        html = html.replace(sign, f"&#{ord(sign)};")
    return html
