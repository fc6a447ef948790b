// Given to a page before its own scripts: a peer connection without a network, driven by the test. `rig.open()` opens
// the data channel, `rig.tell(event)` is the server speaking on it, `rig.sent` is what the page said.
(() => {
  const rig = (window.rig = { sent: [], open: null, tell: null });
  window.RTCPeerConnection = class {
    iceConnectionState = "new";
    connectionState = "new";
    addTransceiver() {}
    createDataChannel() {
      const channel = { readyState: "connecting", send: (text) => rig.sent.push(JSON.parse(text)), close() {} };
      rig.open = () => {
        this.iceConnectionState = "connected";
        channel.readyState = "open";
        channel.onopen();
      };
      rig.tell = (...events) => events.forEach((event) => channel.onmessage({ data: JSON.stringify(event) }));
      return channel;
    }
    async createOffer() {
      return { type: "offer", sdp: "v=0" };
    }
    async setLocalDescription() {}
    async setRemoteDescription() {}
    close() {}
  };
})();
