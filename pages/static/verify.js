// The page that checks a picture: sends the bytes of one file, without its name, and shows the sentence.
(() => {
  const words = document.body.dataset,
    verdict = document.querySelector(".verdict"),
    drop = document.querySelector(".drop");
  const input = drop.querySelector("input"),
    image = drop.querySelector("img"),
    hint = drop.querySelector("span");
  const SHAPES = { ai: ["generated", words.ai], photograph: ["photograph", words.photo] };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const LATE_MS = 70000; // a large photo on a slow line; a little more than the server's
  const AWAY_S = 90; // as on the booth's own screens
  const follow = () => document.body.classList.toggle("dark", dark.matches);
  dark.addEventListener("change", follow);
  follow();
  let last = 0, touched = Date.now();

  const tell = (sentence, shape) => {
    const line = document.createElement("p");
    line.textContent = sentence;
    verdict.textContent = "";
    verdict.append(line);
    if (!shape) return;
    const tag = document.createElement("span");
    tag.className = `truth ${shape[0]}`;
    tag.append(document.getElementById(shape[0]).content.cloneNode(true), shape[1]);
    verdict.prepend(tag);
  };

  const show = (file) => {
    URL.revokeObjectURL(image.src);
    image.hidden = true;
    image.onload = () => {
      image.hidden = false;
    };
    image.src = URL.createObjectURL(file);
    image.alt = words.alt;
    hint.textContent = words.another;
  };

  const check = async (file) => {
    const now = ++last;
    show(file);
    if (file.size > words.limit) return tell(words.big);
    tell(words.reading);
    let answer = {};
    try {
      const asked = await askWithin(LATE_MS, "verify", {
        method: "POST",
        body: file,
        headers: { "Content-Type": "application/octet-stream" },
      });
      answer = JSON.parse(asked.text);
    } catch (_) { /* no network, or no answer of ours: one sentence */ }
    if (now === last) {
      tell(answer.words || answer.error || words.lost, answer.verdict === "ours" && SHAPES[answer.said]);
    }
    verdict.scrollIntoView({ block: "nearest" });
  };

  input.addEventListener("change", () => {
    if (input.files[0]) check(input.files[0]);
    input.value = ""; // the same file may be chosen again
  });
  for (const name of ["dragenter", "dragover"]) {
    addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const name of ["dragleave", "drop", "dragend"]) {
    addEventListener(name, () => drop.classList.remove("over"));
  }
  addEventListener("drop", (event) => {
    event.preventDefault(); // beside the zone too: else the browser would leave the page for the picture
    if (event.dataTransfer.files[0]) check(event.dataTransfer.files[0]);
  });

  // Who came from the booth is at its screen: nobody's picture stays there.
  const touch = () => {
    touched = Date.now();
  };
  for (const name of ["pointerdown", "keydown", "drop"]) {
    addEventListener(name, touch, { capture: true, passive: true });
  }
  if (document.referrer.startsWith(location.origin)) {
    setInterval(() => {
      if (Date.now() - touched > AWAY_S * 1000) location.replace("./");
    }, 1000);
  }
})();
