// Requests that end. A network that falls silent never says so, and a browser waits for minutes.
// `askWithin(ms, address, options)`, with the options of `fetch`, gives the whole answer or fails; `now` is
// what time it was at the server, in ms, where it says so.
(() => {
  const byFetch = async (ms, address, options) => {
    const stopper = new AbortController();
    const timer = setTimeout(() => stopper.abort(), ms);
    try {
      const reply = await fetch(address, Object.assign({ signal: stopper.signal }, options));
      const now = Number(reply.headers.get("Server-Now"));
      return { ok: reply.ok, status: reply.status, now, text: await reply.text() };
    } finally {
      clearTimeout(timer);
    }
  };
  // Chrome before 66 and Safari before 12.1 cannot stop a `fetch`, and six that hang are all they allow.
  const byRequest = (ms, address, { method = "GET", headers = {}, body = null } = {}) =>
    new Promise((done, fail) => {
      const request = new XMLHttpRequest();
      request.open(method, address);
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      request.timeout = ms;
      request.onload = () =>
        done({
          ok: request.status >= 200 && request.status < 300,
          status: request.status,
          now: Number(request.getResponseHeader("Server-Now")),
          text: request.responseText,
        });
      request.onerror = request.ontimeout = () => fail(new Error("no answer"));
      request.send(body);
    });
  const canStop = window.AbortController && window.Request && "signal" in Request.prototype;
  window.askWithin = canStop ? byFetch : byRequest;
})();
