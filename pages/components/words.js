// The words of a part, in the visitor's language: first what its template said, later what the server sends.
// Only marked text and attributes change; whatever a script made of the rest stays.
{
  const tell = () => {
    const say = (mark, put) => {
      for (const one of element.querySelectorAll(`[${mark}]`)) put(one, props.words[one.getAttribute(mark)]);
    };
    say("data-say", (one, words) => {
      one.textContent = words;
    });
    say("data-say-label", (one, words) => one.setAttribute("aria-label", words));
    say("data-say-alt", (one, words) => one.setAttribute("alt", words));
  };
  tell();
  watch("words", tell);
}
