import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { createHash } from "node:crypto";
import { defineConfig, type Plugin } from "vite";
import solid from "vite-plugin-solid";

const files = (folder: string, under = ""): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? files(join(folder, entry.name), `${under}${entry.name}/`) : [`${under}${entry.name}`],
  );

/** Tells the service worker which files the app is made of, and packs all that is worth it, once and well. */
const finish = (): Plugin => ({
  name: "skep-finish",
  apply: "build",
  writeBundle({ dir }) {
    const dist = dir ?? "dist";
    const all = files(dist);
    const version = createHash("sha256").update(all.join()).update(readFileSync(join(dist, "index.html"))).digest("hex").slice(0, 12);
    const shell = ["/", ...all.filter((f) => f.startsWith("assets/") || f === "theme.js" || f === "icon.svg").map((f) => `/${f}`)];
    const worker = readFileSync(join(dist, "sw.js"), "utf8")
      .replace('"__VERSION__"', JSON.stringify(version))
      .replace('["__SHELL__"]', JSON.stringify(shell));
    writeFileSync(join(dist, "sw.js"), worker);
    for (const file of all.filter((f) => /\.(js|css|html|svg|webmanifest)$/.test(f))) {
      const bytes = readFileSync(join(dist, file));
      if (bytes.length < 512) continue;
      const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
      writeFileSync(join(dist, `${file}.br`), brotli);
      writeFileSync(join(dist, `${file}.gz`), gzipSync(bytes, { level: 9 }));
    }
  },
});

export default defineConfig({
  plugins: [solid(), finish()],
  // `skep up --router-port 7700` answers calls while the page is worked on.
  server: { proxy: { "/v1": process.env["SKEP_ROUTER"] ?? "http://127.0.0.1:7700" } },
  // Nothing inline: the page's policy allows no such thing.
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
});
