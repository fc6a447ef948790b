// Given to a page before its own scripts: a microphone that says what a test plays into it, and a list of the peer
// connections that the page makes, for their statistics. Speech goes through WebAudio, so no fake device loops a file.
(() => {
  const peers = [];
  const Peer = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Peer {
    constructor(...given) {
      super(...given);
      peers.push(this);
    }
  };

  let context = null;
  let mouth = null;
  const open = () => {
    context ??= new AudioContext();
    if (!mouth) {
      mouth = context.createMediaStreamDestination();
      // A microphone sends silence; a destination without a source sends nothing at all.
      const silence = new ConstantSourceNode(context, { offset: 0 });
      silence.connect(mouth);
      silence.start();
    }
    return mouth;
  };

  window.rig = {
    /** Play a WAV (base64) into the microphone; resolves when it has been said to its end. */
    async say(base64) {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const to = open();
      await context.resume();
      const source = context.createBufferSource();
      source.buffer = await context.decodeAudioData(bytes.buffer);
      source.connect(to);
      const said = new Promise((resolve) => (source.onended = resolve));
      source.start();
      await said;
    },
    /** Energy of all audio received so far, as the browser counts it (webrtc-stats, totalAudioEnergy). */
    async energy() {
      let sum = 0;
      for (const peer of peers) {
        for (const one of (await peer.getStats()).values()) {
          if (one.type === "inbound-rtp" && one.kind === "audio") sum += one.totalAudioEnergy ?? 0;
        }
      }
      return sum;
    },
  };

  if (window.rigMicrophone !== false) {
    navigator.mediaDevices.getUserMedia = async () => open().stream;
  }
})();
