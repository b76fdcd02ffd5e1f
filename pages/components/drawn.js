// Whether a picture came, which the machine may still be drawing, while `part` is on the page. We ask again
// and again instead of waiting: a browser sends six requests at a time, and a tap is one of them.
const isDrawn = async (address, part) => {
  const SOON_MS = 50, AGAIN_MS = 3000, LATE_MS = 10000;
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  while (part.isConnected) {
    // Gradio may mount us before it has run the page's own scripts; a lost connection may come back
    const ask = window.askWithin;
    const reply = ask && await ask(LATE_MS, address, { method: "HEAD" }).catch(() => null);
    if (reply && reply.status !== 202) return reply.status === 200; // anything else but a picture never comes
    await pause(ask ? AGAIN_MS : SOON_MS);
  }
  return false;
};
