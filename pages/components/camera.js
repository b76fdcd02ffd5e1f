// One visitor before one lens. The server is told by /selfies; this script only shows what it answered.
const box = element.querySelector(".booth-camera");
const part = (selector) => box.querySelector(selector);
let words = props.words;
const FRAMES = Number(box.dataset.frames);
const COUNT_S = 3, FLASH_MS = 80, QUALITY = 0.95;
const ASKING_MS = 1000; // a browser that remembers its permission answers sooner
const PATIENCE_MS = 70_000; // a little more than the server's
const HINT_SIDE = Number(box.dataset.hintSide); // px of the frames for hints; 0: there are none
const GLANCE_MS = 500, SLOW_MS = 1500, REST_MS = 10_000, GLANCE_QUALITY = 0.7;
const AGREEING = 2; // frames that must say the same before anything changes
const ALONE = 10; // ... before it says that nobody is there
const TROUBLE = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "none",
  OverconstrainedError: "none",
  NotReadableError: "busy",
  AbortError: "busy",
};
const video = part("video"),
  shutter = part(".shutter"),
  use = part(".use"),
  picker = part(".upload input"), // a kiosk has none
  other = part(".other"), // nor this
  verdict = part(".verdict");
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
const life = new AbortController(); // ends with this screen, and every listener outside it too
let state = {}, shots = [], stream = null, opening = false, used = false, counting = 0, sending = false;

// ---- what was taken
const read = () => {
  state = JSON.parse(props.value || "{}");
  shots = state.shots || [];
  used = false;
  draw();
};
const line = (sentence, name = "") =>
  Object.assign(document.createElement("p"), { textContent: sentence, className: name });
const say = (sentence = "", more = "") =>
  verdict.replaceChildren(...(sentence ? [line(sentence)] : []), ...(more ? [line(more, "more")] : []));
const complain = (sentences) =>
  verdict.replaceChildren(...sentences.map((sentence) => line(sentence, "notice")));
const frame = (shot, index) => {
  const item = document.createElement("li");
  if (!shot) {
    item.className = "empty";
    item.textContent = index + 1;
    item.setAttribute("aria-hidden", "true");
    return item;
  }
  const picture = Object.assign(document.createElement("img"), {
    src: shot.url,
    alt: words.selfie.replace("{i}", index + 1),
  });
  const remove = Object.assign(document.createElement("button"), {
    type: "button",
    className: "quiet remove",
    textContent: words.again,
  });
  remove.setAttribute("aria-label", words.remove.replace("{i}", index + 1));
  remove.addEventListener("click", () => drop(shot));
  item.append(picture, remove);
  return item;
};
const draw = () => {
  const full = shots.length >= FRAMES, held = document.activeElement === shutter;
  part(".shots").replaceChildren(...Array.from({ length: FRAMES }, (_, index) => frame(shots[index], index)));
  use.hidden = !shots.length;
  use.disabled = sending; // what is on its way would be left out
  use.textContent = shots.length > 1 ? words.use_many.replace("{n}", shots.length) : words.use;
  shutter.disabled = !stream || (full && !sending); // once the next button is ready to take the focus
  shutter.title = full ? words.full : "";
  box.classList.toggle("live", Boolean(stream));
  box.classList.toggle("taken", Boolean(shots.length));
  if (held && shutter.disabled) aim();
};
// Where the next key press belongs.
const aim = () =>
  [shutter, use, picker].find((button) => button && !button.disabled && button.offsetParent !== null)?.focus({
    preventScroll: true,
  });
const ask = async (path, options) => {
  const answer = await askWithin(PATIENCE_MS, path, {
    ...options,
    headers: { "X-Ticket": state.ticket },
  });
  try {
    return [answer.ok, JSON.parse(answer.text)];
  } catch {
    return [answer.ok, {}];
  }
};
// The verdict of a photo that was taken, or the sentence that refuses it.
const send = async (path, body) => {
  const { ticket } = state;
  try {
    const [taken, answer] = await ask(path, { method: "POST", body });
    if (!taken) return { refused: answer.error || words.lost };
    if (ticket === state.ticket) shots = [...shots, answer]; // else another visitor stands here now
    return answer;
  } catch {
    return { refused: words.lost };
  }
};
const bring = async (path, bodies) => {
  if (sending) return;
  sending = true;
  say(words.sending);
  draw();
  const refused = [];
  let latest = {};
  for (const [index, body] of bodies.entries()) {
    if (shots.length >= FRAMES) {
      refused.push(words.full);
      break;
    }
    const answer = await send(path, body);
    if (answer.verdict) {
      latest = answer;
      draw();
    } else {refused.push(
        (bodies.length > 1 ? words.nth.replace("{i}", index + 1) + " " : "") + answer.refused,
      );}
  }
  sending = false;
  draw();
  if (refused.length) complain(refused);
  else say(latest.verdict, latest.note || (shots.length < FRAMES ? words.more : words.full));
};
const drop = async (shot) => {
  try {
    await ask(`selfies/${shot.id}`, { method: "DELETE" });
    shots = shots.filter((kept) => kept !== shot);
    say();
  } catch {
    complain([words.lost]);
  }
  draw();
  aim();
};

// ---- the lens
const trouble = (key) => {
  const notice = part(".trouble"), sentence = document.createElement("span");
  sentence.textContent = key ? words[key] : "";
  if (key === "busy") Object.assign(sentence, { tabIndex: 0, role: "button" });
  notice.replaceChildren(sentence);
  notice.hidden = !key;
  notice.dataset.why = key || "";
  box.classList.toggle("blind", Boolean(key) && key !== "asking");
};
const release = () => {
  stop();
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  video.srcObject = null;
};
// Which of several cameras, as this device was told last: here, or on the operator's page.
const keptCamera = () => {
  try {
    return localStorage.getItem("face value camera");
  } catch {
    return null; // a browser that keeps nothing
  }
};
const cameras = async () =>
  (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === "videoinput");
const offerOther = async () => {
  if (other) other.hidden = (await cameras()).length < 2;
};
const present = () => box.isConnected && box.offsetParent !== null && !document.hidden && !used;
const open = async () => {
  if (stream || opening || !present()) return;
  if (!navigator.mediaDevices?.getUserMedia) return trouble("insecure");
  opening = true;
  const waiting = setTimeout(trouble, ASKING_MS, "asking");
  try {
    const tall = innerHeight > innerWidth;
    const size = { width: { ideal: tall ? 1080 : 1920 }, height: { ideal: tall ? 1920 : 1080 } };
    const kept = keptCamera();
    const which = kept ? { deviceId: { ideal: kept } } : { facingMode: "user" };
    const found = await navigator.mediaDevices.getUserMedia({ audio: false, video: { ...which, ...size } });
    clearTimeout(waiting);
    trouble("");
    if (!present()) return found.getTracks().forEach((track) => track.stop());
    stream = found;
    stream.getVideoTracks()[0].addEventListener("ended", () => {
      release();
      draw();
    }); // unplugged: `look` tries again
    video.srcObject = stream;
    offerOther();
    await video.play();
  } catch (error) {
    clearTimeout(waiting);
    if (used || !box.isConnected) return;
    release();
    trouble(TROUBLE[error.name] || "none");
  } finally {
    opening = false;
    draw();
  }
};

// ---- the shot
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const running = () => box.classList.contains("counting");
const count = (left) => {
  part(".count b").textContent = part(".aloud").textContent = left;
};
const stop = () => {
  if (!running()) return;
  counting += 1;
  box.classList.remove("counting");
  part(".count").hidden = part(".stop").hidden = true;
  part(".hint span").textContent = words.hint;
  count("");
  say();
};
const take = async () => {
  if (!stream || sending || shots.length >= FRAMES || running()) return;
  const turn = (counting += 1);
  forget();
  box.classList.add("counting");
  part(".count").hidden = part(".stop").hidden = false;
  part(".hint span").textContent = words.count;
  say(words.calm);
  part(".stop").focus({ preventScroll: true });
  for (let left = COUNT_S; left > 0; left -= 1) {
    count(left);
    if (left > 1) window.cameraSounds?.tick(); // the last second is still: eyes stay on the lens
    await wait(1000);
    if (turn !== counting) return;
  }
  window.cameraSounds?.shutter();
  const developed = snap(); // before the other words come back and move the picture
  stop();
  if (!calm) {
    box.classList.add("flash");
    setTimeout(() => box.classList.remove("flash"), FLASH_MS);
  }
  aim();
  const file = await developed;
  if (file) await bring("selfies", [file]);
};
// The video's own pixels, so unmirrored, cut to what the preview shows.
const snap = (longest = Infinity, quality = QUALITY) => {
  const { videoWidth: width, videoHeight: height, clientWidth, clientHeight } = video;
  const scale = Math.max(clientWidth / width, clientHeight / height);
  const [across, down] = [Math.min(width, clientWidth / scale), Math.min(height, clientHeight / scale)];
  const share = Math.min(1, longest / Math.max(across, down));
  const canvas = Object.assign(document.createElement("canvas"), {
    width: Math.round(across * share),
    height: Math.round(down * share),
  });
  canvas.getContext("2d").drawImage(
    video,
    (width - across) / 2,
    (height - down) / 2,
    across,
    down,
    0,
    0,
    canvas.width,
    canvas.height,
  );
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
};

// ---- hints before the shot: small frames of the preview, one after the other, none of them kept
let seen = "", agreed = 0;
const advise = (hint) => {
  part(".advice span").textContent = hint ? words[`hint_${hint}`] : "";
  box.classList.toggle("advised", Boolean(hint));
};
const heed = (hint) => {
  agreed = hint === seen ? agreed + 1 : 1;
  seen = hint;
  if (agreed >= AGREEING) advise(hint === "none" && agreed < ALONE ? "" : hint);
};
const forget = () => {
  [seen, agreed] = ["", 0];
  advise("");
};
const aiming = () => stream && video.videoWidth && !shutter.disabled && !sending && !running() && present();
// One frame there and its hint back.
const glance = async () => {
  const body = await snap(HINT_SIDE, GLANCE_QUALITY);
  const headers = { "X-Ticket": state.ticket };
  const answer = await askWithin(SLOW_MS, "hints", { method: "POST", headers, body });
  return answer.status === 200 ? JSON.parse(answer.text).hint : "";
};
const watchOver = async () => {
  for (let rest = GLANCE_MS; !life.signal.aborted;) {
    await wait(rest);
    rest = GLANCE_MS;
    const hint = aiming() ? await glance().catch(() => null) : "";
    if (hint === null) rest = REST_MS; // the network is slow or gone: it has better to do
    if (hint === null || !aiming()) forget();
    else heed(hint);
  }
};

// ---- hands
shutter.addEventListener("click", take);
part(".stop").addEventListener("click", () => {
  stop();
  aim();
});
part(".trouble").addEventListener("click", open);
part(".trouble").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" && event.key !== " ") return;
  event.preventDefault();
  open();
});
use.addEventListener("click", () => {
  used = true;
  release();
  draw();
  trigger("done");
});
other?.addEventListener("click", async () => {
  const ids = (await cameras()).map((device) => device.deviceId);
  const now = ids.indexOf(stream?.getVideoTracks()[0].getSettings().deviceId);
  try {
    localStorage.setItem("face value camera", ids[(now + 1) % ids.length]);
  } catch {
    return; // a browser that keeps nothing keeps no camera
  }
  release();
  open();
});
picker?.addEventListener("change", async () => {
  const files = [...picker.files].map((file) => file.slice(0, state.limit + 1));
  await bring("selfies", files);
  picker.value = "";
});
box.querySelectorAll("[data-sample]").forEach((button) => {
  button.addEventListener("click", () => bring(`selfies/sample/${button.dataset.sample}`, [null]));
});
const keys = (event) => {
  if (event.defaultPrevented || !present()) return;
  if (running() && event.repeat) return event.preventDefault(); // a key held too long must not press Stop
  if (event.key === "Escape" && running()) part(".stop").click();
  if (event.key === " " && !event.target.closest("button, input, a, label, dialog")) {
    event.preventDefault();
    take();
  }
};
// Left, hidden, or back again.
const look = () => {
  if (!box.isConnected) {
    clearInterval(watcher);
    life.abort();
  }
  if (!present()) {
    if (stream) {
      release();
      draw();
    }
  } else if (!part(".trouble").dataset.why) open();
};
const { signal } = life;
const watcher = setInterval(look, 500);
document.addEventListener("keydown", keys, { signal });
document.addEventListener("visibilitychange", look, { signal });
navigator.mediaDevices?.addEventListener("devicechange", () => open(), { signal }); // plugged in
navigator.permissions?.query({ name: "camera" }).then((permission) =>
  permission.addEventListener("change", () => open(), { signal })
).catch(() => {});
read();
watch("value", read);
watch("words", () => {
  words = props.words;
  draw();
});
open();
if (HINT_SIDE) watchOver();
