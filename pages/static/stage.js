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
  const SILENT_MS = 4000; // the server says something each second
  const LOOK_MS = 2000, PAUSE_MS = 1500; // for the network, once it is lost
  const KEPT = 6; // connections to one server, in every browser
  const LATE_MS = 5000; // a key that is answered later than this has failed
  let shown = "", position = "", stream = null, heard = 0;

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
          return loading.decode ? loading.decode().catch(() => {}) : null;
        })),
        new Promise((done) => setTimeout(done, 1500)),
      ]);
      if (now.html !== shown) return;
      scene.textContent = "";
      scene.append(next.content);
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

  // A browser notices a connection that broke, but none that fell silent; and behind a proxy that answers for
  // us it gives up. So we listen for the beat ourselves.
  const listen = () => {
    heard = Date.now();
    stream = new EventSource("api/stage");
    stream.addEventListener("beat", ({ data }) => {
      find();
      countdown.hear(Number(data)); // what time it is at the server
    });
    stream.onmessage = (event) => {
      find();
      const now = JSON.parse(event.data);
      position = now.position;
      countdown.until(now.closes_at, now.timer);
      show(now);
    };
    stream.onerror = lose;
  };
  const find = () => {
    heard = Date.now();
    if (!keys.dataset.lost) return;
    keys.textContent = "";
    delete keys.dataset.lost;
    for (const image of scene.querySelectorAll("img")) if (!image.naturalWidth) image.src = image.src;
  };
  const lose = () => {
    stream.close();
    stream = null;
    keys.textContent = document.body.dataset.offline;
    keys.dataset.lost = "1";
    look();
  };
  // A browser keeps some connections for its next requests. All of them may be dead, and each request that
  // is given up rids us of one.
  const look = async () => {
    let found = false;
    const asked = Array.from({ length: KEPT }, (_, i) => askWithin(LOOK_MS, `api/round?${i}`));
    await Promise.all(asked.map((answer) =>
      answer.then(({ ok }) => {
        if (!ok || found) return;
        found = true;
        listen();
      }, () => {})
    ));
    if (!found) setTimeout(look, PAUSE_MS);
  };
  setInterval(() => {
    if (stream && Date.now() - heard > SILENT_MS) lose();
  }, 250);
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
      const address = `api/host/${command}?seen=${encodeURIComponent(position)}`;
      const reply = await askWithin(LATE_MS, address, { method: "POST" });
      const said = JSON.parse(reply.text);
      if (reply.ok) position = said.position;
      if (!keys.dataset.lost) keys.textContent = reply.ok ? "" : said.error;
    } catch (_) {
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
