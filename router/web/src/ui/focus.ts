// Where the keys go.

/** On a touch screen the keyboard comes with the focus, and covers half of what is there. */
export const isTouch = (): boolean => matchMedia("(pointer: coarse)").matches;

/** To where one writes. */
export const focusComposer = (): void => document.querySelector<HTMLTextAreaElement>(".composer textarea")?.focus();

/** The same after something was chosen; on a touch screen only when it is touched. */
export const goOnWriting = (): void => {
  if (!isTouch()) focusComposer();
};
