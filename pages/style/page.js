// What the whole page does by itself: the focus on a new screen, and asking whether somebody is still there.
(() => {
  const IDLE_S = 90, LAST_CALL_S = 20;
  const PATIENT = ".screen.welcome, .screen.making"; // nothing of anybody is shown, or the machine works
  let screen = null, touched = Date.now(), first = true;

  const arrive = () => {
    const now = [...document.querySelectorAll(".fv .screen")].find((one) => one.offsetParent !== null);
    if (!now || now === screen) return;
    screen = now;
    touched = Date.now();
    scrollTo(0, 0);
    const title = now.querySelector("h1");
    if (title) document.title = `${title.textContent} · Face Value`;
    if (!first) title?.focus({ preventScroll: true });
    first = false;
  };
  new MutationObserver(arrive).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["class", "style"] });

  const touch = () => { touched = Date.now(); document.querySelector("dialog.idle[open]")?.close(); };
  ["pointerdown", "keydown", "input"].forEach((name) => addEventListener(name, touch, { capture: true, passive: true }));
  setInterval(() => {
    const idle = (Date.now() - touched) / 1000 - IDLE_S;
    const dialog = document.querySelector("dialog.idle");
    if (!dialog || !screen?.isConnected || screen.matches(PATIENT) || idle < 0) return;
    if (idle > LAST_CALL_S) {
      dialog.close();
      touched = Date.now();
      document.querySelector(".leave-quietly")?.click();
      return;
    }
    const line = dialog.querySelector("p");
    line.textContent = line.dataset.said.replace("{s}", Math.ceil(LAST_CALL_S - idle));
    if (!dialog.open) dialog.showModal();
  }, 500);
})();
