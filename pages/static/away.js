// When the booth's machine does not answer, its page says so in our own words, and begins anew when it does.
// Gradio would say it too, in its own, and only when something is tapped; its messages are never shown.
(() => {
  const LOOK_MS = 1500, AGAIN_MS = 500, LATE_MS = 5000;
  const MISSES = 2; // a connection may break by itself
  const KEPT_S = 60; // of the name of the screen, for the page that comes after this one
  const PLACE = location.pathname.replace(/[^/]*$/, "");
  let missed = 0, timer = 0;
  const keep = (name, seconds) => {
    document.cookie = `face_value_was=${name}; Path=${PLACE}; Max-Age=${seconds}; SameSite=Lax`;
  };
  addEventListener("pointerdown", () => keep("", 0), { once: true }); // whoever goes on has read it

  const dialog = () => document.querySelector("dialog.away");
  const tell = () => {
    if (dialog() && !dialog().open) dialog().showModal();
  };
  const leave = () => {
    const screen = document.querySelector(".fv .screen");
    const classes = [...screen?.classList ?? []];
    keep(classes[classes.indexOf("screen") + 1] ?? "", KEPT_S); // its name stands beside it
    location.reload();
  };
  const look = async () => {
    clearTimeout(timer);
    const { status } = await askWithin(LATE_MS, "api/round").catch(({ name }) => ({ status: name }));
    // What is late is not gone: a browser whose every connection waits for a picture that is being drawn asks
    // in vain, and to begin anew would stop the drawing.
    const isThere = status < 500, isGone = !isThere && status !== "AbortError";
    missed = isGone ? missed + 1 : 0;
    if (missed >= MISSES) tell();
    if (isThere && dialog()?.open) return leave();
    clearTimeout(timer);
    timer = setTimeout(look, missed ? AGAIN_MS : LOOK_MS);
  };
  addEventListener("cancel", (event) => event.target.matches("dialog.away") && event.preventDefault(), true);

  // What Gradio has to say is taken away before it is painted: the machine is gone, or one tap failed.
  const line = document.createElement("p");
  line.className = "says";
  line.setAttribute("role", "status");
  let shown = 0;
  new MutationObserver(() => {
    const toast = document.querySelector(".toast-wrap .toast-item:not(.seen)");
    if (!toast) return;
    toast.classList.add("seen");
    line.textContent = dialog()?.dataset.failed ?? "";
    document.body.append(line);
    clearTimeout(shown);
    shown = setTimeout(() => line.remove(), 8000);
    look();
  }).observe(document.documentElement, { childList: true, subtree: true });
  look();
})();
