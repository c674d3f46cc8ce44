// A bad network: a proxy between a browser and everything, which delays, stalls and cuts.

import { createServer, request } from "node:http";
import { connect } from "node:net";

const running = new Set();
/** Also those of a story that broke off. */
export const stopNetworks = () => running.forEach((network) => network.stop());

/** `latencyMs`: there and back. `loss`: a lost packet comes again after a pause, as TCP does it. */
export const startNetwork = async () => {
  const weather = { latencyMs: 0, loss: 0, gone: false };
  const open = new Set();
  const delay = () => weather.latencyMs / 2 + (Math.random() < weather.loss ? 300 + weather.latencyMs : 0);

  /** Bytes go on in order, each piece no earlier than the one before. */
  const carry = (from, to) => {
    let free = 0;
    from.on("data", (piece) => {
      const at = Math.max(free, Date.now() + delay());
      free = at;
      setTimeout(() => !to.destroyed && to.write(piece), at - Date.now());
    });
    from.on("end", () => setTimeout(() => to.end(), Math.max(0, free - Date.now())));
    from.on("error", () => to.destroy());
    from.on("close", () => setTimeout(() => to.destroy(), Math.max(0, free - Date.now()) + 50));
  };

  const server = createServer((asked, answer) => {
    if (weather.gone) return asked.socket.destroy();
    setTimeout(() => {
      const passed = request(asked.url, { method: asked.method, headers: asked.headers }, (got) => {
        setTimeout(() => {
          answer.writeHead(got.statusCode ?? 502, got.headers);
          got.pipe(answer);
        }, delay());
      });
      passed.on("error", () => answer.destroy());
      asked.pipe(passed);
    }, delay());
  });
  server.on("connect", (asked, socket, head) => {
    if (weather.gone) return socket.destroy();
    const { hostname, port } = new URL(`http://${asked.url}`);
    const there = connect(Number(port), hostname, () => {
      socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      if (head.length > 0) there.write(head);
      carry(socket, there);
      carry(there, socket);
    });
    there.on("error", () => socket.destroy());
    socket.on("error", () => there.destroy());
  });
  server.on("connection", (socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));

  const network = {
    weather,
    proxy: { server: `http://127.0.0.1:${server.address().port}`, bypass: "<-loopback>" },
    /** All connections break, and no new ones come about, until `back`. */
    cut: () => {
      weather.gone = true;
      for (const socket of open) socket.destroy();
    },
    back: () => {
      weather.gone = false;
    },
    stop: () => {
      running.delete(network);
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
  running.add(network);
  return network;
};
