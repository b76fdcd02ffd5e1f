// What the whole page does by itself: the focus on a new screen, and asking whether somebody is still there.
(() => {
  const IDLE_S = Number(document.currentScript.dataset.idle);
  const LAST_CALL_S = Number(document.currentScript.dataset.leave);
  // nothing of anybody is shown, or the machine works: a ladder that is whole has a link to take it home
  const PATIENT = ".screen.welcome, .screen.making, .screen.ladder:not(:has(.note a))";
  let screen = null, said = "", touched = Date.now();

  // Gradio puts a screen into the page when it is shown, and its words perhaps a moment later.
  const arrive = () => {
    const { lang, dir } = document.querySelector("dialog.idle") ?? {};
    if (lang && lang !== document.documentElement.lang) {
      Object.assign(document.documentElement, { lang, dir });
    }
    const now = document.querySelector(".fv .screen");
    const title = now?.querySelector("h1");
    if (!title || (now === screen && title.innerText === said)) return;
    // on a slow machine the visitor may have left the welcome before this runs
    const first = screen === null && now.matches(".welcome");
    if (now !== screen) {
      touched = Date.now();
      document.title = "Face Value";
      scrollTo(0, 0);
    }
    [screen, said] = [now, title.innerText]; // of several sentences the one that is shown
    // a title tells no truth: others may still guess
    if (!now.querySelector(".truth")) document.title = `${said} · Face Value`;
    if (!first) title.focus({ preventScroll: true });
  };
  new MutationObserver(arrive).observe(document.documentElement, {
    childList: true,
    subtree: true,
    attributeFilter: ["lang"],
  });
  arrive();

  // A sheet is laid over its screen by the button that names it, and closed by its own, by Escape, by a tap
  // beside it.
  addEventListener("click", ({ target }) => {
    const opener = target.closest(".opens"), close = target.closest(".pane .close");
    if (close) close.closest(".pane").hidePopover();
    if (!opener) return;
    const name = [...opener.classList].find((one) => one.startsWith("to-")).slice(3);
    const sheet = opener.closest(".screen").querySelector(`.pane.${name}`);
    sheet.popover = "auto";
    sheet.showPopover();
    sheet.querySelector("h2").focus({ preventScroll: true });
  });

  const touch = () => {
    touched = Date.now();
  };
  ["pointerdown", "keydown", "input"].forEach((name) =>
    addEventListener(name, touch, { capture: true, passive: true })
  );
  addEventListener("click", ({ target }) => target.closest("dialog.idle")?.close());
  setInterval(() => {
    const dialog = document.querySelector("dialog.idle");
    if (!dialog || !screen?.isConnected) return;
    if (screen.matches(PATIENT) || document.querySelector("dialog.away[open]")) touch();
    const idle = (Date.now() - touched) / 1000 - IDLE_S;
    if (idle < 0) return dialog.close();
    if (idle > LAST_CALL_S) {
      touch();
      dialog.close();
      document.querySelector(".leave-quietly")?.click();
      return;
    }
    const line = dialog.querySelector("p");
    line.textContent = line.dataset.said.replace("{s}", Math.ceil(LAST_CALL_S - idle));
    if (!dialog.open) dialog.showModal();
  }, 500);
})();
