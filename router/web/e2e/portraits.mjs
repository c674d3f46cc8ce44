// Pictures of people for the pictures of the app: a few strokes each, drawn in a browser.

import { Buffer } from "node:buffer";

const LOOKS = [
  { sky: ["#f9c784", "#e4765e"], hair: "#3c2415", skin: "#f1c9a5", shirt: "#f4f1e8", long: true },
  { sky: ["#8ec5d6", "#3f7f9c"], hair: "#191410", skin: "#8d5a3b", shirt: "#f0b429", long: false },
  { sky: ["#c7dba4", "#6f9b5a"], hair: "#a4532a", skin: "#f3d2b3", shirt: "#40607a", long: true },
  { sky: ["#d8cfe8", "#8a7bb0"], hair: "#d9b56c", skin: "#f2d0b0", shirt: "#2f4a3c", long: false },
];

/** A PNG of 512 by 512. */
export const portrait = async (browser, n) => {
  const page = await browser.newPage();
  const url = await page.evaluate((look) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 512, height: 512 });
    const c = canvas.getContext("2d");
    const sky = c.createLinearGradient(0, 0, 120, 512);
    look.sky.forEach((colour, at) => sky.addColorStop(at, colour));
    const round = (colour, x, y, rx, ry) => {
      c.fillStyle = colour;
      c.beginPath();
      c.ellipse(x, y, rx, ry, 0, 0, 7);
      c.fill();
    };
    c.fillStyle = sky;
    c.fillRect(0, 0, 512, 512);
    round(look.hair, 256, look.long ? 250 : 200, look.long ? 140 : 122, look.long ? 180 : 124);
    round(look.shirt, 256, 520, 210, 150);
    round(look.skin, 256, 370, 50, 70);
    round(look.skin, 256, 235, 104, 128);
    c.save();
    c.beginPath();
    c.ellipse(256, 235, 106, 130, 0, 0, 7);
    c.clip();
    round(look.hair, look.long ? 215 : 256, 110, 150, 74);
    c.restore();
    round("#2a211b", 216, 240, 9, 11);
    round("#2a211b", 296, 240, 9, 11);
    c.strokeStyle = "#7a3b2e";
    c.lineWidth = 7;
    c.lineCap = "round";
    c.beginPath();
    c.arc(256, 280, 36, 0.5, 2.64);
    c.stroke();
    return canvas.toDataURL("image/png");
  }, LOOKS[n % LOOKS.length]);
  await page.close();
  return Buffer.from(url.split(",")[1], "base64");
};
