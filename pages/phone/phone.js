// One phone of the room: asks where the room is, shows it, sends the answer and keeps it until it arrived.
// It runs on what came with Chrome 61 and Safari 12: old tablets vote too.
(() => {
  // A lost network is said within five seconds: a pause and an answer that does not come.
  const PAUSE_MS = 1500, LATE_MS = 2500, LOST_MS = 500, HIDDEN_MS = 6000, SPREAD_MS = 500;
  const SEND_LATE_MS = 5000; // the server itself gives an answer up after four seconds
  const PICTURE_LATE_MS = 8000;
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
  } catch (_) { /* private mode: not remembered */ }
  const remember = () => {
    try {
      localStorage.setItem("face value", JSON.stringify(kept));
    } catch (_) { /* likewise */ }
  };
  let now = null, drawn = "", wish = null, sending = false, lost = false;

  const make = (tag, attributes = {}, ...inside) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...inside);
    return made;
  };
  const fill = (parent, ...inside) => {
    parent.textContent = "";
    parent.append(...inside);
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
    let timer = 0;
    const again = (ms) => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        if (!image.isConnected) return;
        image.src = image.src;
        again(PICTURE_LATE_MS);
      }, ms);
    };
    image.onload = () => clearTimeout(timer);
    image.onerror = () => again(1500 + 1500 * Math.random());
    again(PICTURE_LATE_MS);
    return make("figure", { class: "p" }, image);
  };

  // ---- what is shown

  const screens = {
    ready: () => {
      const [title, lead] = now.withdrawn ? ["withdrawn", "wait"] : ["title", "soon"];
      return [make("div", { class: "b" }, make("h1", {}, say(title)), make("p", {}, say(lead)))];
    },
    open: () => [
      picture(say("alt")),
      make("h1", { id: "q" }, say("title")),
      timer(),
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
        make("p", { id: "r" }),
        ...(judged.length ? [make("p", {}, say("so_far", { k, n: judged.length }))] : []),
        make("p", {}, say("wait")),
      ];
    },
  };
  const timer = () =>
    make(
      "p",
      { class: "timer", role: "timer", "data-said": words["timer.left"], hidden: "" },
      make("i"),
      make("b"),
    );
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
    const state = now.round ? now.state : "ready", which = `${now.round} ${state} ${now.withdrawn}`;
    if (which !== drawn) {
      drawn = which;
      document.body.className = state === "open" || state === "revealed" ? "" : "q";
      document.getElementById("n").textContent = now.round ? say("round", { i: now.place, n: now.of }) : "";
      fill(main, ...screens[state]());
      status.textContent = state === "open" && !mine() ? say("tap") : "";
    }
    if (state === "open") press();
    if (state === "revealed") count();
  };
  // How the room answered, as counts: hands may still be counted, and a rehearsal's answers are nobody's.
  const count = () => {
    const said = (kind) => {
      const n = now[kind], key = `tally.${kind}`;
      return n > 1 ? say(key, { n }) : words[key + (n ? "_one" : "_none")];
    };
    const [first, last] = ["photograph", "generated"].sort((a, b) => !now[a] - !now[b]).map(said);
    const isTold = now.photograph + now.generated && !now.rehearsing;
    const line = document.getElementById("r");
    line.hidden = !isTold;
    line.textContent = isTold ? say("tally.both", { first, last }) : "";
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
      const reply = await askWithin(SEND_LATE_MS, "api/guess", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ round, answer, them, knows }),
      });
      if (reply.ok) {
        kept[round] = sent;
        remember();
      } else if (reply.status >= 500) {
        trouble = JSON.parse(reply.text).error;
        throw new Error("later");
      } else {
        hold(JSON.parse(reply.text).error);
        if (wish === sent) wish = null;
      }
      if (reply.ok && wish === sent) wish = null;
    } catch (_) {
      if (trouble) status.textContent = trouble;
      else tell("offline");
      setTimeout(send, (trouble ? 2000 : 1000) + 1000 * Math.random());
      sending = false;
      return;
    }
    sending = false;
    if (now) show();
    if (wish) send();
  };

  // ---- where the room is

  const ask = async () => {
    let told = null;
    try {
      const reply = await askWithin(LATE_MS, "api/round", { cache: "no-cache" });
      if (reply.ok) told = JSON.parse(reply.text);
      countdown.hear(reply.now);
    } catch (_) { /* no network, or one that answers for us */ }
    if (!told) {
      lost = true;
      tell("offline");
    }
    const pause = document.hidden ? HIDDEN_MS : told ? PAUSE_MS : LOST_MS;
    setTimeout(ask, pause + SPREAD_MS * Math.random());
    if (told) hear(told);
  };
  const hear = (told) => {
    now = told;
    if (lost) {
      lost = false;
      status.textContent = "";
    }
    if (wish && wish.round !== now.round) wish = null;
    try {
      show();
      countdown.until(now.closes_at, now.timer);
    } catch (error) {
      status.textContent = words.old;
      throw error;
    }
  };
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && now) send();
  });
  window.runs = true;
  ask();
})();
