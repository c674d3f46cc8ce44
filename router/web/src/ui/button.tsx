// Buttons: with a word, or an icon whose word is told by a tooltip and to screen readers.

import { Tooltip } from "@kobalte/core/tooltip";
import { splitProps, type JSX } from "solid-js";
import { singleKeys } from "../view/shortcuts";

type ButtonProps = JSX.ButtonHTMLAttributes<HTMLButtonElement> & { look?: "main" | "quiet" | "danger" | "plain"; busy?: boolean };

export const Button = (props: ButtonProps) => {
  const [own, rest] = splitProps(props, ["look", "busy", "class", "children"]);
  return (
    <button
      type="button"
      {...rest}
      class={`button button-${own.look ?? "quiet"} ${own.class ?? ""}`}
      disabled={own.busy === true || rest.disabled === true}
      aria-busy={own.busy === true}
    >
      {own.children}
    </button>
  );
};

export const IconButton = (props: { label: string; onClick?: (event: MouseEvent) => void; class?: string; disabled?: boolean; children: JSX.Element; ref?: (el: HTMLButtonElement) => void; letter?: string }) => (
  <Tooltip openDelay={500} closeDelay={0} placement="bottom" gutter={4}>
    <Tooltip.Trigger
      as="button"
      type="button"
      ref={props.ref}
      class={`icon-button ${props.class ?? ""}`}
      aria-label={props.label}
      aria-keyshortcuts={singleKeys() ? props.letter : undefined}
      disabled={props.disabled}
      onClick={props.onClick}
    >
      {props.children}
    </Tooltip.Trigger>
    <Tooltip.Portal>
      <Tooltip.Content class="tooltip">{props.label}</Tooltip.Content>
    </Tooltip.Portal>
  </Tooltip>
);
