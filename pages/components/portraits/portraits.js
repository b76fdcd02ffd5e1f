const [photograph, large] = element.querySelectorAll("figure");
const strip = element.querySelector("fieldset > div");
const fill = (figure, print) => {
  const picture = figure.querySelector("img");
  if (picture.getAttribute("src") !== print.url) picture.src = print.url;
  picture.alt = print.alt;
  figure.querySelector("figcaption span").textContent = print.caption;
};
const frame = (print, index) => {
  const [label, input, pic, picture, caption] = ["label", "input", "span", "img", "span"].map((tag) => document.createElement(tag));
  Object.assign(input, { type: "radio", name: "portrait", value: index });
  Object.assign(picture, { src: print.url, alt: "" });
  pic.className = "pic";
  caption.textContent = print.caption;
  pic.append(picture);
  label.append(input, pic, caption);
  return label;
};
const draw = () => {
  const value = JSON.parse(props.value || "{}");
  if (!value.photograph) return;
  fill(photograph, value.photograph);
  fill(large, value.portraits[value.chosen]);
  const shown = value.portraits.map((print) => print.url).join();
  if (strip.dataset.shown !== shown) {
    strip.dataset.shown = shown;
    strip.replaceChildren(...value.portraits.map(frame));
    strip.parentElement.hidden = value.portraits.length < 2;
  }
  strip.querySelectorAll("input")[value.chosen].checked = true;
};
draw();
watch("value", draw);
element.addEventListener("change", ({ target }) => {
  props.value = JSON.stringify({ ...JSON.parse(props.value), chosen: Number(target.value) });
  draw();
  trigger("change");
});
