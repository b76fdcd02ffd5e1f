// A native radio group; its value is the value of the radio that is checked. Gradio's own radios carry
// a name each, so arrow keys do not move between them.
const check = () =>
  element.querySelectorAll("input").forEach((radio) => {
    radio.checked = radio.value === props.value;
  });
check();
watch("value", check);
// A frame shows its backdrop until its picture is there.
element.querySelectorAll("[data-src]").forEach(async (frame) => {
  const { src } = frame.dataset, { backgroundImage } = frame.style;
  if (await isDrawn(src, frame)) frame.style.backgroundImage = `url("${src}"), ${backgroundImage}`;
});
element.addEventListener("change", ({ target }) => {
  props.value = target.value;
  trigger("input");
});
