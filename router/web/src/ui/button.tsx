// Buttons: with a word, or an icon whose word is told by a tooltip and to screen readers.

import { Tooltip } from "@kobalte/core/tooltip";
import { splitProps, type JSX } from "solid-js";
import { singleKeys } from "../view/shortcuts";

type ButtonProps = Omit<JSX.ButtonHTMLAttributes<HTMLButtonElement>, "onClick"> & { look?: "main" | "quiet" | "danger" | "plain"; busy?: boolean; onClick?: () => void };

export const Button = (props: ButtonProps) => {
  const [own, rest] = splitProps(props, ["look", "busy", "class", "children", "onClick"]);
  // Not disabled while it is busy: that would take the keys away from it.
  const pressed = (event: MouseEvent): void => {
    if (own.busy === true) event.preventDefault();
    else own.onClick?.();
  };
  return (
    <button
      type="button"
      {...rest}
      class={`button button-${own.look ?? "quiet"} ${own.class ?? ""}`}
      aria-disabled={own.busy || undefined}
      aria-busy={own.busy === true}
      onClick={pressed}
    >
      {own.children}
    </button>
  );
};

export const IconButton = (props: { label: string; onClick: () => void; class?: string; children: JSX.Element; letter?: string }) => (
  <Tooltip openDelay={500} closeDelay={0} placement="bottom" gutter={4}>
    <Tooltip.Trigger
      as="button"
      type="button"
      class={`icon-button ${props.class ?? ""}`}
      aria-label={props.label}
      aria-keyshortcuts={singleKeys() ? props.letter : undefined}
      onClick={props.onClick}
    >
      {props.children}
    </Tooltip.Trigger>
    <Tooltip.Portal>
      <Tooltip.Content class="tooltip">{props.label}</Tooltip.Content>
    </Tooltip.Portal>
  </Tooltip>
);
