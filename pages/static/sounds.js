// What a visitor hears at the camera, where the operator asked for it: a tick a second and a shutter, both
// made here. The first tick follows the tap on the shutter: browsers let nothing sound before a gesture.
(() => {
  const TICK_HZ = 1200, TICK_S = .05, TICK_GAIN = .15; // short and soft: a watch, not an alarm
  const CLICK_HZ = 2600, CLICK_S = .04, CLICK_GAIN = .5; // noise around this pitch: metal and cloth
  const CURTAINS_S = .07; // from the first curtain of a shutter to the second
  const SILENT = .0001; // a gain that falls in equal ratios never reaches none
  let context = null;
  const sound = (source, pitch, at, seconds, loud) => {
    const gain = context.createGain();
    gain.gain.setValueAtTime(loud, at);
    gain.gain.exponentialRampToValueAtTime(SILENT, at + seconds);
    [source, ...pitch, gain, context.destination].reduce((one, next) => one.connect(next));
    source.start(at);
    source.stop(at + seconds);
  };
  const noise = () => {
    const buffer = context.createBuffer(1, Math.ceil(CLICK_S * context.sampleRate), context.sampleRate);
    buffer.getChannelData(0).forEach((_, index, samples) => {
      samples[index] = 2 * Math.random() - 1;
    });
    return Object.assign(context.createBufferSource(), { buffer });
  };
  const click = (at) => {
    const band = Object.assign(context.createBiquadFilter(), { type: "bandpass" });
    band.frequency.value = CLICK_HZ;
    sound(noise(), [band], at, CLICK_S, CLICK_GAIN);
  };
  const awake = async () => {
    context ??= new AudioContext();
    if (context.state !== "running") await context.resume();
    return context.currentTime;
  };
  const quietly = (make) => () => awake().then(make).catch(() => {}); // a machine without loudspeakers
  window.cameraSounds = {
    tick: quietly((now) => {
      const tone = context.createOscillator();
      tone.frequency.value = TICK_HZ;
      sound(tone, [], now, TICK_S, TICK_GAIN);
    }),
    shutter: quietly((now) => [now, now + CURTAINS_S].forEach(click)),
  };
})();
