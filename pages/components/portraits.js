const wipe = element.querySelector(".wipe");
const range = wipe.querySelector("input");
const [photograph, large] = wipe.querySelectorAll("img");
const captions = element.querySelectorAll("figcaption b");
const skin = element.querySelector(".skin");
const mend = skin.querySelector("input");
const strip = element.querySelector("fieldset > div");
const place = () => {
  wipe.style.setProperty("--x", `${range.value}%`);
  range.setAttribute("aria-valuetext", wipe.dataset.spoken.replace("{p}", range.value));
};
const fill = (picture, caption, print) => {
  if (picture.getAttribute("src") !== print.url) picture.src = print.url;
  caption.textContent = print.caption;
};
const frame = (print, index) => {
  const label = element.querySelector("template").content.firstElementChild.cloneNode(true);
  label.querySelector("input").value = index;
  label.querySelector("img").src = print.url;
  label.lastElementChild.textContent = print.caption;
  return label;
};
let drawn = false;
const appear = () => { // before anything is drawn the photograph stands alone
  if (!drawn) wipe.classList.add("alone");
  else if (large.complete && large.naturalWidth) wipe.classList.remove("alone");
};
const draw = () => {
  const value = JSON.parse(props.value || "{}");
  if (!value.photograph) return;
  const own = value.portraits[value.chosen]?.photograph; // in the same light and crop
  fill(photograph, captions[0], own ? { ...value.photograph, url: own } : value.photograph);
  const chosen = value.portraits[value.chosen];
  skin.hidden = !chosen?.guarded;
  drawn = Boolean(chosen);
  if (drawn) fill(large, captions[1], mend.checked && chosen.guarded ? { ...chosen, url: chosen.guarded } : chosen);
  appear();
  for (const report of document.querySelectorAll("[data-portrait]")) report.hidden = Number(report.dataset.portrait) !== value.chosen;
  document.querySelector(".misfire")?.toggleAttribute("hidden", !chosen?.misfire);
  const shown = value.portraits.map((print) => print.url).join();
  if (strip.dataset.shown !== shown) {
    strip.dataset.shown = shown;
    strip.replaceChildren(...value.portraits.map(frame));
    strip.parentElement.hidden = value.portraits.length < 2;
  }
  const radio = strip.querySelectorAll("input")[value.chosen];
  if (radio) radio.checked = true;
};
draw();
place();
watch("value", draw);
range.addEventListener("input", place);
large.addEventListener("load", appear);
element.addEventListener("change", ({ target }) => {
  if (target === range) return;
  if (target === mend) return draw();
  mend.checked = false;
  props.value = JSON.stringify({ ...JSON.parse(props.value), chosen: Number(target.value) });
  draw();
  trigger("input");
});
