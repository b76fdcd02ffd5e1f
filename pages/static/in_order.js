// Taps are answered in their order: each is sent after the answer to the one before has come, so that no late
// answer undoes what a later tap did. A connection that hangs holds the next tap up for a moment only.
(() => {
  const PATIENCE_MS = 3000;
  const ENDS_MS = 10000; // on the host's page, whose clock waits for the answer to each tick
  const TAPS = /\/?(gradio_api\/run|api\/host)\//;
  const ask = window.fetch;
  let before = Promise.resolve();

  const pause = () => new Promise((done) => setTimeout(done, PATIENCE_MS));
  const ending = (options = {}) => {
    if (options.signal || !window.AbortController) return options;
    const stopper = new AbortController();
    setTimeout(() => stopper.abort(), ENDS_MS);
    return Object.assign({}, options, { signal: stopper.signal });
  };
  const arrive = (reply) => reply && reply.arrayBuffer().catch(() => null);
  window.fetch = (address, options) => {
    if (!TAPS.test(address)) return ask(address, options);
    const answer = before.then(() =>
      ask(address, location.pathname.startsWith("/host") ? ending(options) : options)
    );
    const copy = answer.then((reply) => reply.clone(), () => null); // before anybody reads it
    before = before.then(() => Promise.race([copy.then(arrive), pause()]));
    return answer;
  };
})();
