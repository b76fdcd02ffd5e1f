// Taps are answered in their order: each is sent after the answer to the one before has come, so that no late
// answer undoes what a later tap did. A connection that hangs holds the next tap up for a moment only.
(() => {
  const PATIENCE_MS = 3000;
  const LATE_MS = 15000; // longer than a database that fell silent is waited for
  const TAPS = /\/?(gradio_api\/run|api\/host)\//;
  const ask = window.fetch;
  let before = Promise.resolve();

  const pause = () => new Promise((done) => setTimeout(done, PATIENCE_MS));
  const sent = new Set(); // what stops each tap that has no answer yet
  // The host's page knows when the network is lost, and its clock waits for answers that never come.
  addEventListener("lost", () => sent.forEach((stopper) => stopper.abort()));
  // The page's watch hears "late" of a tap without an answer, and "answered" when that came or failed.
  const watch = (reply) => {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      dispatchEvent(new Event("late"));
    }, LATE_MS);
    const end = () => {
      clearTimeout(timer);
      if (isLate) dispatchEvent(new Event("answered"));
    };
    reply.then(end, end);
    return reply;
  };
  const arrive = (reply) => reply && reply.arrayBuffer().catch(() => null);
  window.fetch = (address, options) => {
    if (!TAPS.test(address)) return ask(address, options);
    const stopper = window.AbortController ? new AbortController() : { abort: () => {} };
    const stoppable = Object.assign({ signal: stopper.signal }, options);
    const answer = before.then(() => watch(ask(address, stoppable)));
    const copy = answer.then((reply) => reply.clone(), () => null); // before anybody reads it
    const arrived = copy.then(arrive);
    sent.add(stopper);
    arrived.then(() => sent.delete(stopper));
    before = before.then(() => Promise.race([arrived, pause()]));
    return answer;
  };
})();
