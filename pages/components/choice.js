// A native radio group; its value is the value of the radio that is checked. Gradio's own radios carry
// a name each, so arrow keys do not move between them.
const check = () =>
  element.querySelectorAll("input").forEach((radio) => {
    radio.checked = radio.value === props.value;
  });
check();
watch("value", check);
element.addEventListener("change", ({ target }) => {
  props.value = target.value;
  trigger("input");
});
