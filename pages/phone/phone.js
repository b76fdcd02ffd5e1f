// One phone of the room: asks where the room is, shows it, sends the answer and keeps it until it arrived.
(() => {
  const words = JSON.parse(document.getElementById("w").textContent);
  const main = document.getElementById("m"), status = document.getElementById("s");
  const say = (key, values = {}) =>
    Object.entries(values).reduce(
      (text, [name, value]) => text.replace(`{${name}}`, value),
      words[key],
    );
  let kept = {}; // by round: what the server has; remembered, so that a reload shows it
  try {
    kept = JSON.parse(localStorage.getItem("face value") || "{}");
  } catch { /* private mode: not remembered */ }
  const remember = () => {
    try {
      localStorage.setItem("face value", JSON.stringify(kept));
    } catch { /* likewise */ }
  };
  let now = null, drawn = "", wish = null, sending = false, lost = false;

  const make = (tag, attributes = {}, ...inside) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...inside);
    return made;
  };
  const drawing = (id) => document.getElementById(id).content.cloneNode(true);
  const mine = () => (wish && wish.round === now.round ? wish : kept[now.round]);
  const tag = (kind) =>
    make(
      "span",
      { class: `t ${kind === "photograph" ? "f" : "g"}` },
      drawing(kind),
      say(kind === "photograph" ? "photo" : "ai"),
    );
  const picture = (alt) => {
    const image = make("img", { src: now.picture, alt });
    image.onerror = () =>
      setTimeout(() => {
        if (image.isConnected) image.src = image.src;
      }, 1500 + 1500 * Math.random());
    return make("figure", { class: "p" }, image);
  };

  // ---- what is shown

  const screens = {
    ready: () => [make("div", { class: "b" }, make("h1", {}, say("title")), make("p", {}, say("soon")))],
    open: () => [
      picture(say("alt")),
      make("h1", { id: "q" }, say("title")),
      make(
        "div",
        { class: "a", role: "group", "aria-labelledby": "q" },
        answer("photograph"),
        answer("generated"),
      ),
      ...choices("them", ["yes", "no", "unsure"]),
      ...choices("knows", ["me", "known", "stranger"]),
    ],
    closed: () => {
      const guess = kept[now.round];
      return [
        make(
          "div",
          { class: "b" },
          make("h1", {}, say("closed")),
          guess
            ? make("p", {}, say("closed_said"), " ", tag(guess.answer))
            : make("p", {}, say("closed_none")),
          make("p", {}, say("look_up")),
        ),
      ];
    },
    revealed: () => {
      const guess = kept[now.round];
      const right = guess && guess.answer === now.truth;
      const sentence = !guess
        ? say(`was_${now.truth}`)
        : right
        ? say("right", { x: say(`said_${now.truth}`) })
        : say(`wrong_${now.truth}`);
      if (guess && guess.truth !== now.truth) {
        guess.truth = now.truth;
        remember();
      }
      const judged = Object.values(kept).filter(({ truth }) => truth);
      const k = judged.filter(({ truth, answer }) => truth === answer).length;
      return [
        picture(say(`alt_${now.truth}`)),
        tag(now.truth),
        make("h1", {}, sentence),
        ...(judged.length ? [make("p", {}, say("so_far", { k, n: judged.length }))] : []),
        make("p", {}, say("wait")),
      ];
    },
  };
  const ring = () => drawing("ring");
  const answer = (kind) => {
    const button = make(
      "button",
      { class: kind === "photograph" ? "f" : "g", "data-answer": kind },
      drawing(kind),
      say(kind === "photograph" ? "photo" : "ai"),
      ring(),
    );
    button.onclick = () => choose({ ...(mine() || {}), round: now.round, answer: kind });
    return button;
  };
  const choices = (question, offered) => {
    if (!now[question]) return [];
    const buttons = offered.map((name) => {
      const button = make("button", { [`data-${question}`]: name }, say(name));
      button.onclick = () =>
        choose({
          ...mine(),
          [question]: question === "them" ? { yes: true, no: false, unsure: null }[name] : name,
          [`${question}Said`]: name,
        });
      return button;
    });
    return [
      make(
        "div",
        { class: "later", hidden: "" },
        make("h2", { id: question }, say(question)),
        make("div", { class: "k", role: "group", "aria-labelledby": question }, ...buttons),
      ),
    ];
  };

  const show = () => {
    const state = now.round ? now.state : "ready", which = `${now.round} ${state}`;
    if (which !== drawn) {
      drawn = which;
      document.body.className = state === "open" || state === "revealed" ? "" : "q";
      document.getElementById("n").textContent = now.round ? say("round", { i: now.place, n: now.of }) : "";
      main.replaceChildren(...screens[state]());
      status.textContent = state === "open" && !mine() ? say("tap") : "";
    }
    if (state === "open") press();
  };
  const press = () => {
    const guess = mine();
    for (const button of main.querySelectorAll("button")) {
      const { answer: kind, them, knows } = button.dataset;
      const on = !!guess &&
        (kind ? guess.answer === kind : them ? guess.themSaid === them : guess.knowsSaid === knows);
      button.setAttribute("aria-pressed", on);
    }
    for (const later of main.querySelectorAll(".later")) later.hidden = !kept[now.round];
    if (guess && !sending && !wish && !status.dataset.held) tell("said", { x: say(`said_${guess.answer}`) });
  };
  const tell = (key, values) => {
    const text = say(key, values);
    if (status.textContent !== text) status.textContent = text;
  };
  const hold = (text) => {
    status.textContent = text;
    status.dataset.held = "1";
  };

  // ---- the answer goes to the server, and is kept here until it is there

  const choose = (wanted) => {
    delete status.dataset.held;
    wish = wanted;
    press();
    tell("sending");
    send();
  };
  const send = async () => {
    if (sending || !wish) return;
    sending = true;
    const sent = wish;
    let trouble = "";
    const { round, answer, them = null, knows = null } = sent;
    try {
      const reply = await fetch("api/guess", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ round, answer, them, knows }),
      });
      if (reply.ok) {
        kept[round] = sent;
        remember();
      } else if (reply.status >= 500) {
        trouble = (await reply.json()).error;
        throw new Error("later");
      } else {
        hold((await reply.json()).error);
        if (wish === sent) wish = null;
      }
      if (reply.ok && wish === sent) wish = null;
    } catch {
      if (trouble) status.textContent = trouble;
      else tell("offline");
      setTimeout(send, 1000 + 1000 * Math.random());
      sending = false;
      return;
    }
    sending = false;
    if (now) show();
    if (wish) send();
  };

  // ---- where the room is

  const ask = async () => {
    try {
      const reply = await fetch("api/round", { cache: "no-cache" });
      if (!reply.ok) throw new Error("later");
      now = await reply.json();
      if (lost) {
        lost = false;
        status.textContent = "";
      }
      if (wish && wish.round !== now.round) wish = null;
      show();
    } catch {
      lost = true;
      tell("offline");
    }
    setTimeout(ask, (document.hidden ? 6000 : 1500) + 500 * Math.random());
  };
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && now) send();
  });
  ask();
})();
