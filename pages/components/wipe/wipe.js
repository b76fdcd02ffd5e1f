const wipe = element.querySelector(".wipe");
const range = wipe.querySelector("input");
const PERIOD_MS = 24000; // to and fro
let attracting = !matchMedia("(prefers-reduced-motion: reduce)").matches;
const place = (share) => {
  wipe.style.setProperty("--x", `${share}%`);
  range.setAttribute("aria-valuetext", wipe.dataset.spoken.replace("{p}", Math.round(share)));
};
const rest = () => { attracting = false; };
range.addEventListener("input", () => { rest(); place(Number(range.value)); });
["pointerdown", "keydown", "focus"].forEach((name) => range.addEventListener(name, rest));
const right = wipe.querySelector(".top");
const alone = () => wipe.classList.toggle("alone", right.complete && !right.naturalWidth);
["load", "error"].forEach((name) => right.addEventListener(name, alone));
alone();
const move = (now) => {
  if (!attracting || !wipe.isConnected) return;
  const share = 50 + 38 * Math.sin((2 * Math.PI * now) / PERIOD_MS);
  range.value = share;
  place(share);
  requestAnimationFrame(move);
};
place(50);
requestAnimationFrame(move);
