// What the welcome of a kiosk shows while nobody is there: scenes over its picture, one after the other. All
// the rest stays: Start is there, and works at the first touch, which takes the scenes away. The parts of a
// scene are marked with the beat from which on they are there; style sheets move them. One timer runs.
(() => {
  const AFTER_MS = 1000 * document.currentScript.dataset.after;
  const LOOK_MS = 1000, LATE_MS = 10_000, FADE_MS = 600;
  const MOVED_PX = 12; // a mouse lies on a table that people lean on
  const calm = matchMedia("(prefers-reduced-motion: reduce)"); // then the welcome's own picture stands still
  let touched = Date.now(), timer = 0, loop = null, turn = 0, from = null;

  const stage = () => document.querySelector(".fv .screen.welcome .see");
  const pause = (ms) =>
    new Promise((done) => {
      clearTimeout(timer);
      timer = setTimeout(done, ms);
    });
  const isOver = (mine) => loop !== mine || !mine.isConnected;
  const stop = () => {
    loop?.remove();
    loop = null;
    document.querySelector(".wipe.covered")?.classList.remove("covered");
  };

  const beat = (scene, now) =>
    [scene, ...scene.querySelectorAll("[data-at]")].forEach((part) => {
      part.classList.toggle("on", part.dataset.at <= now);
      part.classList.toggle("now", Number(part.dataset.at) === now);
    });
  // The scene in the page once all its pictures are here, or nothing: one of them is gone.
  const build = async ({ html }) => {
    const holder = document.createElement("div");
    holder.innerHTML = html;
    const scene = holder.firstElementChild;
    const pictures = [...scene.querySelectorAll("img")];
    turn += 1; // asked for anew each time: a picture that was taken back is in no browser's memory
    pictures.forEach((picture) => {
      picture.src = `${picture.dataset.src}?${turn}`;
    });
    await Promise.all(pictures.map((picture) => picture.decode()));
    return scene;
  };
  const show = async (mine, described) => {
    const scene = await build(described).catch(() => null);
    if (!scene || isOver(mine)) return false;
    beat(scene, 0);
    mine.append(scene);
    stage().querySelector(".wipe")?.classList.add("covered");
    await pause(FADE_MS);
    mine.replaceChildren(scene);
    for (const [now, ms] of described.beats.entries()) {
      beat(scene, now);
      await pause(ms);
      if (isOver(mine)) break;
    }
    return true;
  };
  const list = async () => {
    const { ok, text } = await askWithin(LATE_MS, `attract?lang=${document.documentElement.lang}`);
    return ok ? JSON.parse(text) : [];
  };
  const play = async () => {
    const mine = loop = Object.assign(document.createElement("div"), { className: "attract" });
    mine.setAttribute("aria-hidden", "true"); // the welcome says it all
    mine.addEventListener("touchend", (event) => event.preventDefault()); // no click on what lies below
    stage().append(mine);
    for (let shown = true; shown && !isOver(mine);) {
      shown = false;
      for (const described of await list().catch(() => [])) {
        if (!isOver(mine)) shown = await show(mine, described) || shown;
      }
    }
    if (loop === mine) touch(); // nothing can be shown now, or the screen is another
  };

  const watch = () => {
    clearTimeout(timer);
    if (document.hidden) return;
    if (!stage() || calm.matches || document.querySelector("dialog[open]")) touched = Date.now();
    if (Date.now() - touched >= AFTER_MS) play();
    else timer = setTimeout(watch, LOOK_MS);
  };
  const touch = () => {
    touched = Date.now();
    from = null;
    if (loop) stop();
    else if (timer) return; // it looks by itself
    watch();
  };
  ["pointerdown", "keydown", "wheel"].forEach((name) =>
    addEventListener(name, touch, { capture: true, passive: true })
  );
  addEventListener("pointermove", ({ clientX, clientY }) => {
    from ??= [clientX, clientY];
    if (Math.hypot(clientX - from[0], clientY - from[1]) > MOVED_PX) touch();
  }, { capture: true, passive: true });
  calm.addEventListener("change", touch);
  document.addEventListener("visibilitychange", () => {
    stop();
    touched = Date.now();
    watch();
  });
  watch();
})();
