// A machine that stands among its visitors: what a browser offers beside the page is not offered. It stops
// hands, not whoever brings a keyboard: for that the browser itself is started as examples/kiosk says.
(() => {
  const TAPS = 5, WITHIN_MS = 3000, CORNER_PX = 96;
  const OWN_KEYS = ["Tab", "Enter", " ", "Escape", "Shift", "Backspace", "Delete", "Home", "End"];
  const stop = (event) => event.preventDefault();
  const { documentElement: root } = document;
  root.classList.add("kiosk");
  const on = (names, act) =>
    names.forEach((name) => addEventListener(name, act, { capture: true, passive: false }));
  on(["contextmenu", "dragstart", "dragover", "drop", "paste", "gesturestart", "auxclick"], stop);
  on(["wheel"], (event) => event.ctrlKey && stop(event));
  on(["touchstart", "touchmove"], (event) => event.touches.length > 1 && stop(event));
  // Menus, tabs, zoom, print, reload: all have a function key or one of these beside them.
  on(["keydown"], (event) => {
    const browsers = event.ctrlKey || event.metaKey || event.altKey || /^F\d/.test(event.key);
    if (browsers && !OWN_KEYS.includes(event.key)) stop(event);
  });
  // To the operator: five taps into the top left corner.
  let taps = [];
  on(["pointerdown"], ({ clientX, clientY, timeStamp }) => {
    const inCorner = clientX < CORNER_PX && clientY < CORNER_PX;
    taps = inCorner ? [...taps.filter((at) => timeStamp - at < WITHIN_MS), timeStamp] : [];
    if (taps.length >= TAPS) location.assign("operator");
  });
})();
