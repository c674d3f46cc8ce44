// Messages of nothing but emoji.

const ONLY = /^[\p{Extended_Pictographic}\p{Regional_Indicator}\p{Emoji_Modifier}\u200d\ufe0f\s]+$/u;
const ANY = /[\p{Extended_Pictographic}\p{Regional_Indicator}]/u;
const FEW = 3;
/** Of UTF-16: families with colours of skin are long. Longer ones need not be counted. */
const LONGEST = 60;

/** One, two or three emoji and nothing else: they may be large. */
export const isFewEmoji = (text: string): boolean => {
  if (text.length > LONGEST || !ONLY.test(text) || !ANY.test(text)) return false;
  const signs = [...new Intl.Segmenter().segment(text)].filter(({ segment }) => segment.trim() !== "");
  return signs.length <= FEW;
};
