// The projector's page: shows what the stream says, and sends the keys of a clicker to the host's commands.
(() => {
  const scene = document.getElementById("scene"), note = document.getElementById("note");
  const keys = document.getElementById("keys");
  const COMMANDS = {
    ArrowRight: "next",
    PageDown: "next",
    " ": "next",
    Enter: "next",
    ArrowLeft: "back",
    PageUp: "back",
    r: "replay",
  };
  let shown = "", position = "";

  // Pictures are there before the words about them: a black frame in front of a hall lasts for ever.
  const show = async (now) => {
    blank(now.blank);
    if (now.html !== shown) {
      shown = now.html;
      const next = document.createElement("template");
      next.innerHTML = now.html;
      await Promise.race([
        Promise.all([...next.content.querySelectorAll("img")].map((image) => {
          const loading = new Image();
          loading.src = image.getAttribute("src");
          return loading.decode().catch(() => {});
        })),
        new Promise((done) => setTimeout(done, 1500)),
      ]);
      if (now.html !== shown) return;
      scene.replaceChildren(next.content);
    }
    document.body.classList.toggle("card", !!scene.querySelector(".card"));
    const count = scene.querySelector(".card .count"), unit = scene.querySelector(".unit");
    if (count && unit) {
      count.textContent = now.answers;
      unit.textContent = now.unit;
    }
    note.textContent = now.note;
    note.hidden = !now.note;
  };
  const blank = (on) => document.documentElement.classList.toggle("blank", on);

  // A browser tries again by itself only where the connection broke; behind a proxy that answers for us it
  // gives up.
  const listen = () => {
    const stream = new EventSource("api/stage");
    stream.onmessage = (event) => {
      if (keys.dataset.lost) {
        keys.textContent = "";
        delete keys.dataset.lost;
      }
      const now = JSON.parse(event.data);
      position = now.position;
      show(now);
    };
    stream.onerror = () => {
      keys.textContent = document.body.dataset.offline;
      keys.dataset.lost = "1";
      if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 1000);
    };
  };
  listen();
  if (keys.textContent) {
    setTimeout(() => {
      if (!keys.dataset.lost) keys.textContent = "";
    }, 8000);
  }

  // One after the other, each from where the one before came to.
  let before = Promise.resolve();
  const send = (command) => {
    before = before.then(() => post(command));
  };
  const post = async (command) => {
    try {
      const reply = await fetch(`api/host/${command}?seen=${encodeURIComponent(position)}`, { method: "POST" });
      if (reply.ok) {
        position = (await reply.json()).position;
        if (!keys.dataset.lost) keys.textContent = "";
        return;
      }
      keys.textContent = (await reply.json()).error;
    } catch {
      keys.textContent = document.body.dataset.offline;
      keys.dataset.lost = "1";
    }
  };
  document.addEventListener("keydown", (event) => {
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "b" || event.key === "B" || event.key === ".") {
      blank(!document.documentElement.classList.contains("blank")); // at once; the server is told after it
      send("blank");
    } else if (event.key === "f" || event.key === "F") {
      if (document.fullscreenElement) document.exitFullscreen();
      else document.documentElement.requestFullscreen();
    } else if (COMMANDS[event.key]) {
      event.preventDefault();
      send(COMMANDS[event.key]);
    }
  });
})();
