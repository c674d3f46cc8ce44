// A real deployment for the tests: `skep up` in a folder of its own, ended with them.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../../..");
const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
export const artifacts = join(target, "web");

const program = () => {
  const found = [process.env.SKEP, join(target, "debug/skep"), join(target, "release/skep")].find((p) => p && existsSync(p));
  if (found === undefined) throw new Error("build the program first: cargo build -p skep-ops");
  return found;
};

const free = (port) =>
  new Promise((answer) => {
    const server = createServer();
    server.once("error", () => answer(false));
    server.listen(port, "127.0.0.1", () => server.close(() => answer(true)));
  });

/** A router's port, with the cells' behind it free too. */
const freePort = async () => {
  for (let port = 11_000 + Math.floor(Math.random() * 5_000); ; port += 50) {
    const all = await Promise.all([port, ...[1, 2, 3].map((n) => port + 10 + n)].map(free));
    if (all.every(Boolean)) return port;
  }
};

export const startHive = async ({ cells = 2 } = {}) => {
  // Against one that runs already, while the app is worked on.
  if (process.env.SKEP_DATA) return { ...deployment(process.env.SKEP_DATA), data: process.env.SKEP_DATA, stop: async () => {} };
  const data = mkdtempSync(join(tmpdir(), "skep-web-"));
  const port = await freePort();
  const child = spawn(program(), ["up", "--data", data, "--cells", String(cells), "--router-port", String(port), "--rate-limits", "off"], { stdio: ["ignore", "pipe", "pipe"] });
  // Also when the tests are broken off.
  const end = () => child.kill("SIGTERM");
  process.once("exit", end);
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (said += text));
  const ended = new Promise((done) => child.once("exit", done));
  const file = join(data, "deployment.json");
  for (const until = Date.now() + 90_000; !existsSync(file); ) {
    if (child.exitCode !== null || Date.now() > until) throw new Error(`skep up did not come up:\n${said}`);
    await new Promise((next) => setTimeout(next, 100));
  }
  return {
    ...deployment(data),
    data,
    stop: async () => {
      process.off("exit", end);
      end();
      await ended;
      rmSync(data, { recursive: true, force: true });
    },
  };
};

const deployment = (data) => {
  const read = () => JSON.parse(readFileSync(join(data, "deployment.json"), "utf8"));
  return { url: read().router.url, read };
};
