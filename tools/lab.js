// Put into every page that tools/lab.py opens: counts messages, watches pictures, drags sliders.

// what the kernel sends to its widgets, and what it says of errors
window.listen = (kernel) => {
  window.messages = [];
  window.complaints = [];
  kernel.iopubMessage.connect((_, message) => {
    const { header, content, buffers } = message;
    const comm = content.comm_id;
    const data = content.data ?? {};
    if (header.msg_type === "comm_msg" && data.method !== "echo_update") {
      const attached = buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0);
      const bytes = attached + JSON.stringify(data).length;
      const picture = "png" in (data.state ?? {});
      window.messages.push({ comm, method: data.method, picture, bytes });
    }
    if (header.msg_type === "error") window.complaints.push(content.evalue);
    if (content.name === "stderr") window.complaints.push(content.text);
  });
};

// which picture stands on the screen after each paint: a list of { time, source }, one for each
// change; source is "" where there is none
window.watchPicture = (selector) => {
  window.seen = [];
  window.watching = selector;
  const channel = new MessageChannel();
  const next = () => requestAnimationFrame(() => channel.port2.postMessage(0));
  channel.port1.onmessage = () => {
    if (window.watching !== selector) return;
    const image = document.querySelector(selector);
    const source = image?.naturalWidth ? image.currentSrc : "";
    if (source !== window.seen.at(-1)?.source) {
      window.seen.push({ time: performance.now(), source });
    }
    next();
  };
  next();
};

document.addEventListener("keydown", (event) => (window.pressed = event.timeStamp), true);

// drags a slider's handle to and fro over a part of its track, with one event in every frame;
// gives the times of the first event and of the release
window.drag = (handle, { seconds, from, to, turns }) =>
  new Promise((resolve) => {
    const track = handle.closest(".noUi-target").getBoundingClientRect();
    const y = track.top + track.height / 2;
    const fire = (type, target, share) =>
      target.dispatchEvent(
        new MouseEvent(type, {
          bubbles: true,
          buttons: type === "mouseup" ? 0 : 1,
          clientX: track.left + share * track.width,
          clientY: y,
        }),
      );
    const box = handle.getBoundingClientRect();
    fire("mousedown", handle, (box.left + box.width / 2 - track.left) / track.width);
    const begin = performance.now();
    const step = () => {
      const time = (performance.now() - begin) / 1000;
      const phase = Math.min(time / seconds, 1) * turns; // one turn leads from one end to the other
      const share = Math.floor(phase) % 2 ? 1 - (phase % 1) : phase % 1;
      const ended = phase === turns;
      fire("mousemove", document.documentElement, from + (ended ? turns % 2 : share) * (to - from));
      if (!ended) return requestAnimationFrame(step);
      fire("mouseup", document.documentElement, from + (turns % 2) * (to - from));
      resolve({ begin, end: performance.now() });
    };
    requestAnimationFrame(step);
  });
