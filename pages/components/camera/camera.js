// One visitor before one lens. The server is told by /selfies; this script only shows what it answered.
const box = element.querySelector(".booth-camera");
const part = (selector) => box.querySelector(selector);
const said = JSON.parse(box.dataset.said);
const FRAMES = Number(box.dataset.frames);
const COUNT_S = 3, FLASH_MS = 80, QUALITY = 0.95;
const TROUBLE = { NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "none", OverconstrainedError: "none", NotReadableError: "busy", AbortError: "busy" };
const video = part("video");
const verdict = part(".verdict");
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
let state = {}, shots = [], stream = null, opening = false, used = false, counting = 0, sending = 0;

// ---- what was taken
const read = () => {
  state = JSON.parse(props.value || "{}");
  shots = state.shots || [];
  used = false;
  draw();
};
const say = (sentence, wrong = false) => {
  verdict.replaceChildren();
  if (!sentence) return;
  const line = document.createElement("p");
  if (wrong) line.className = "notice";
  line.textContent = sentence;
  verdict.append(line);
};
const frame = (shot, index) => {
  const item = document.createElement("li");
  if (!shot) {
    item.className = "empty";
    item.textContent = index + 1;
    item.setAttribute("aria-hidden", "true");
    return item;
  }
  const picture = Object.assign(document.createElement("img"), { src: shot.url, alt: said.selfie.replace("{i}", index + 1) });
  const remove = Object.assign(document.createElement("button"), { type: "button", className: "quiet remove", textContent: said.again });
  remove.setAttribute("aria-label", said.remove.replace("{i}", index + 1));
  remove.addEventListener("click", () => drop(shot));
  item.append(picture, remove);
  return item;
};
const draw = () => {
  part(".shots").replaceChildren(...Array.from({ length: FRAMES }, (_, index) => frame(shots[index], index)));
  const use = part(".use");
  use.hidden = !shots.length;
  use.textContent = shots.length > 1 ? said.use_many.replace("{n}", shots.length) : said.use;
  part(".shutter").disabled = !stream || shots.length >= FRAMES;
  box.classList.toggle("live", Boolean(stream));
  box.classList.toggle("taken", Boolean(shots.length));
};
const ask = async (path, options) => {
  const answer = await fetch(path, { ...options, headers: { "X-Ticket": state.ticket } });
  return [answer.ok, await answer.json().catch(() => ({}))];
};
const send = async (path, body, prefix = "") => {
  if (shots.length >= FRAMES) return say(said.full, true);
  sending += 1;
  say(said.sending);
  try {
    const [taken, told] = await ask(path, { method: "POST", body });
    if (!taken) return say(prefix + (told.error || said.lost), true);
    shots = [...shots, told];
    draw();
    say(`${told.verdict} ${shots.length < FRAMES ? said.more : said.full}`);
  } catch {
    say(said.lost, true);
  } finally {
    sending -= 1;
  }
};
const drop = async (shot) => {
  try {
    await ask(`selfies/${shot.id}`, { method: "DELETE" });
    shots = shots.filter((one) => one !== shot);
    say("");
  } catch {
    say(said.lost, true);
  }
  draw();
  part(".shutter").focus();
};

// ---- the lens
const trouble = (key) => {
  const line = part(".trouble");
  line.hidden = !key;
  line.textContent = key ? said[key] : "";
  line.dataset.why = key || "";
  box.classList.toggle("blind", Boolean(key));
};
const release = () => {
  stop();
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  video.srcObject = null;
};
const present = () => box.isConnected && box.offsetParent !== null && !document.hidden;
const open = async () => {
  if (stream || opening || used || !present()) return;
  if (!navigator.mediaDevices?.getUserMedia) return trouble("insecure");
  opening = true;
  try {
    const tall = innerHeight > innerWidth;
    const size = { width: { ideal: tall ? 1080 : 1920 }, height: { ideal: tall ? 1920 : 1080 } };
    const found = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: "user", ...size } });
    if (!present()) return found.getTracks().forEach((track) => track.stop());
    stream = found;
    stream.getVideoTracks()[0].addEventListener("ended", () => { release(); trouble("busy"); draw(); });
    video.srcObject = stream;
    await video.play();
    trouble("");
  } catch (error) {
    release();
    trouble(TROUBLE[error.name] || "none");
  } finally {
    opening = false;
    draw();
  }
};

// ---- the shot
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const stop = () => {
  counting += 1;
  box.classList.remove("counting");
  part(".count").hidden = part(".stop").hidden = true;
  part(".hint span").textContent = said.hint;
};
const take = async () => {
  if (!stream || sending || shots.length >= FRAMES || box.classList.contains("counting")) return;
  const turn = (counting += 1);
  box.classList.add("counting");
  part(".count").hidden = part(".stop").hidden = false;
  part(".hint span").textContent = said.count;
  say(said.calm);
  part(".stop").focus({ preventScroll: true });
  for (let left = COUNT_S; left > 0; left -= 1) {
    part(".count b").textContent = left;
    await wait(1000);
    if (turn !== counting) return;
  }
  stop();
  if (!stream) return;
  if (!calm) {
    box.classList.add("flash");
    setTimeout(() => box.classList.remove("flash"), FLASH_MS);
  }
  const file = await snap();
  part(".shutter").focus({ preventScroll: true });
  if (file) await send("selfies", file);
};
// The video's own pixels, so unmirrored, cut to what the preview shows.
const snap = () => {
  const { videoWidth: width, videoHeight: height, clientWidth, clientHeight } = video;
  const scale = Math.max(clientWidth / width, clientHeight / height);
  const [across, down] = [Math.min(width, clientWidth / scale), Math.min(height, clientHeight / scale)];
  const canvas = Object.assign(document.createElement("canvas"), { width: Math.round(across), height: Math.round(down) });
  canvas.getContext("2d").drawImage(video, (width - across) / 2, (height - down) / 2, across, down, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
};

// ---- hands
part(".shutter").addEventListener("click", take);
part(".stop").addEventListener("click", () => { stop(); say(""); part(".shutter").focus(); });
part(".trouble").addEventListener("click", () => open());
part(".use").addEventListener("click", () => { used = true; release(); draw(); trigger("done"); });
part(".upload input").addEventListener("change", async ({ target }) => {
  const files = [...target.files];
  for (const [index, file] of files.entries()) {
    const prefix = files.length > 1 ? said.nth.replace("{i}", index + 1) + " " : "";
    await send("selfies", file.slice(0, state.limit + 1), prefix);
    if (verdict.querySelector(".notice")) break;
  }
  target.value = "";
});
box.querySelectorAll("[data-sample]").forEach((button) => {
  button.addEventListener("click", () => send(`selfies/sample/${button.dataset.sample}`));
});
const keys = (event) => {
  if (!box.isConnected) return document.removeEventListener("keydown", keys);
  if (!present()) return;
  if (event.key === "Escape" && box.classList.contains("counting")) part(".stop").click();
  if (event.key === " " && !event.target.closest("button, input, a, label, dialog")) {
    event.preventDefault();
    take();
  }
};
document.addEventListener("keydown", keys);
const watcher = setInterval(() => { // left, hidden or back again
  if (!box.isConnected) clearInterval(watcher);
  if (!present()) { if (stream) { release(); draw(); } } else if (!stream && !part(".trouble").dataset.why && !opening) open();
}, 500);
read();
watch("value", read);
open();
