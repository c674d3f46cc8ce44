// Where the keys go.

/** On a touch screen the keyboard comes with the focus, and covers half of what is there. */
export const isTouch = (): boolean => matchMedia("(pointer: coarse)").matches;

/** To where one writes; on a touch screen only when it is touched. */
export const focusComposer = (): void => {
  if (!isTouch()) document.querySelector<HTMLTextAreaElement>(".composer textarea")?.focus();
};
