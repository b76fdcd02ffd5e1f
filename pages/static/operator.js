// The operator's page: keys for a PIN where there is no keyboard, and a look through the camera.
(() => {
  const GLANCE_MS = 700, QUALITY = 0.7, AWAY_S = 300, KEPT = "face value camera";
  const part = (selector) => document.querySelector(selector);
  const pin = part("[name=pin]");
  document.querySelectorAll("[data-digit]").forEach((key) => {
    key.addEventListener("click", () => {
      const { digit } = key.dataset;
      pin.value = digit ? (pin.value + digit).slice(0, pin.maxLength) : pin.value.slice(0, -1);
    });
  });
  // Whoever forgets to go back leaves no menu to the next visitor.
  let touched = Date.now();
  ["pointerdown", "keydown"].forEach((name) => addEventListener(name, () => (touched = Date.now()), true));
  setInterval(() => {
    if (Date.now() - touched > AWAY_S * 1000) {
      (part("[action$=leave]") || { submit: () => location.assign("./") }).submit();
    }
  }, 1000);
  const video = part("video");
  if (!video) return;

  const { side, none, lost } = document.body.dataset;
  const which = part(".which"), said = part(".said");
  let stream = null;
  const kept = () => {
    try {
      return localStorage.getItem(KEPT) || "";
    } catch {
      return "";
    }
  };
  const list = async () => {
    const cameras = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) =>
      kind === "videoinput"
    );
    const now = stream.getVideoTracks()[0].getSettings().deviceId;
    which.replaceChildren(
      ...cameras.map(({ deviceId, label }) => new Option(label, deviceId, false, deviceId === now)),
    );
    which.hidden = cameras.length < 2;
  };
  const open = async () => {
    stream?.getTracks().forEach((track) => track.stop());
    const id = kept(), size = { width: { ideal: 1080 }, height: { ideal: 1350 } };
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        video: { ...size, ...(id ? { deviceId: { ideal: id } } : { facingMode: "user" }) },
      });
      video.srcObject = stream;
      await video.play();
      await list();
    } catch {
      stream = null;
      said.textContent = none;
    }
  };
  // A small picture as the visitor's preview shows it, which is looked at and forgotten.
  const snap = () => {
    const { videoWidth: width, videoHeight: height } = video;
    const across = Math.min(width, height * 0.8), down = across / 0.8;
    const share = Math.min(1, side / down);
    const canvas = Object.assign(document.createElement("canvas"), {
      width: Math.round(across * share),
      height: Math.round(down * share),
    });
    const from = [(width - across) / 2, (height - down) / 2, across, down];
    canvas.getContext("2d").drawImage(video, ...from, 0, 0, canvas.width, canvas.height);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  };
  const glance = async () => {
    if (stream && video.videoWidth) {
      const body = await snap();
      const answer = await askWithin(5000, "operator/frame", { method: "POST", body }).catch(() => null);
      if (!answer || answer.status === 401) said.textContent = lost;
      else if (answer.status === 200) said.textContent = JSON.parse(answer.text).words;
    }
    setTimeout(glance, GLANCE_MS);
  };
  part(".open").addEventListener("click", open);
  const mirror = () => video.classList.toggle("mirrored", part(".mirror").checked);
  part(".mirror").addEventListener("change", mirror);
  which.addEventListener("change", () => {
    try {
      localStorage.setItem(KEPT, which.value);
    } catch {
      return; // a browser that keeps nothing keeps no camera
    }
    open();
  });
  mirror();
  glance();
})();
