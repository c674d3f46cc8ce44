// How hard a password is to guess, roughly: length counts most, as it does for who guesses. The server has the last word.

export type Strength = 0 | 1 | 2 | 3 | 4;

export const strength = (password: string): Strength => {
  const chars = [...password];
  if (chars.length < 8) return 0;
  const kinds = [/\p{Ll}/u, /\p{Lu}/u, /\p{N}/u, /[^\p{L}\p{N}\s]/u, /\s/u].filter((k) => k.test(password)).length;
  const steps = chars.slice(1).map((c, at) => (c.codePointAt(0) ?? 0) - (chars[at]?.codePointAt(0) ?? 0));
  // Runs such as aaaa, 1234 or the same few letters over and over.
  const dull = steps.filter((s) => Math.abs(s) <= 1).length / steps.length;
  const different = new Set(chars).size;
  let points = Math.min(different, chars.length) * (1 - dull * 0.7) + kinds * 1.5;
  if (/^(password|passwort|qwert|12345|letmein|iloveyou)/iu.test(password)) points /= 2;
  return points < 8 ? 1 : points < 12 ? 2 : points < 17 ? 3 : 4;
};
