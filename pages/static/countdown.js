// The seconds until a round closes by itself, by the server's clock: a device's own may be an hour off.
// `countdown.hear(ms)` is told what time it is there; `countdown.until(instant, seconds)` when a round of so
// many seconds closes, null where it does not. It is shown wherever a `.timer` is on the page.
(() => {
  const LOOK_MS = 200;
  let ahead = -Infinity; // ms, of the server's clock before the time for which this page is open
  let end = null, length = 0; // ms
  const show = () => {
    const box = document.querySelector(".timer");
    if (!box) return;
    const left = end === null ? 0 : end - ahead - performance.now();
    const isTold = left > 0 && left < Infinity;
    box.hidden = !isTold;
    if (!isTold) return;
    const text = box.dataset.said.replace("{s}", Math.ceil(left / 1000));
    if (box.lastChild.textContent !== text) box.lastChild.textContent = text;
    box.firstChild.style.transform = `scaleX(${Math.min(1, left / length)})`;
  };
  window.countdown = {
    hear: (ms) => {
      // an answer that came late, or out of a cache, says too little; none says too much
      if (ms) ahead = Math.max(ahead, ms - performance.now());
      show();
    },
    until: (instant, seconds) => {
      end = instant && Date.parse(instant);
      length = 1000 * seconds;
      show();
    },
  };
  setInterval(show, LOOK_MS);
})();
