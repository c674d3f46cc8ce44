// A picture of oneself: chosen, moved and zoomed into a square, and made small before it is sent.

import { createSignal, onCleanup, Show } from "solid-js";
import { t } from "../i18n";
import { Avatar } from "../ui/avatar";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Camera } from "../ui/icons";
import { say } from "../ui/toast";

/** Of the picture that is sent, in pixels. */
const SIDE = 512;
/** Of the square on the screen. */
const VIEW = 256;
const ZOOM = 4;

export default function PickImage(props: {
  id: string;
  name: string;
  /** The address of the picture that is there. */
  current: string | null;
  /** Whether it was taken: what was not is not shown. */
  onPicked: (image: Blob | null) => boolean | Promise<boolean>;
}) {
  const [picture, setPicture] = createSignal<ImageBitmap | null>(null);
  const [preview, setPreview] = createSignal<string | null>(null);
  let input!: HTMLInputElement;

  const show = (image: Blob | null): void => {
    const old = preview();
    if (old !== null) URL.revokeObjectURL(old);
    setPreview(image === null ? null : URL.createObjectURL(image));
  };
  onCleanup(() => show(null));

  const chosen = async (): Promise<void> => {
    const file = input.files?.[0];
    input.value = "";
    if (file === undefined) return;
    try {
      setPicture(await createImageBitmap(file));
    } catch {
      say(t("image.bad"));
    }
  };

  return (
    <div class="pick-image">
      <button type="button" class="pick-image-button" onClick={() => input.click()}>
        <span class="unseen">{props.current || preview() ? t("field.image.change") : t("field.image.add")}</span>
        <Show when={preview()} fallback={<Avatar id={props.id} name={props.name} image={props.current} size="xl" />}>
          {(url) => <img class="avatar avatar-xl" src={url()} alt="" />}
        </Show>
        <span class="pick-image-sign">
          <Camera />
        </span>
      </button>
      <input ref={input} type="file" accept="image/png,image/jpeg,image/webp" hidden onChange={() => void chosen()} />
      <Show when={props.current || preview()}>
        <Button
          look="plain"
          onClick={() => {
            show(null);
            void props.onPicked(null);
          }}
        >
          {t("field.image.remove")}
        </Button>
      </Show>
      <Show when={picture()}>
        {(bitmap) => (
          <Crop
            bitmap={bitmap()}
            onClose={() => setPicture(null)}
            onDone={async (image) => {
              setPicture(null);
              show(image);
              if (!(await props.onPicked(image))) show(null);
            }}
          />
        )}
      </Show>
    </div>
  );
}

const Crop = (props: { bitmap: ImageBitmap; onClose: () => void; onDone: (image: Blob) => Promise<void> }) => {
  const [zoom, setZoom] = createSignal(1);
  const [centre, setCentre] = createSignal({ x: 0.5, y: 0.5 });
  let canvas!: HTMLCanvasElement;

  /** The square of the picture that is seen, in its pixels. */
  const square = () => {
    const { width, height } = props.bitmap;
    const side = Math.min(width, height) / zoom();
    const place = (at: number, whole: number): number => Math.max(0, Math.min(whole - side, at * whole - side / 2));
    return { x: place(centre().x, width), y: place(centre().y, height), side };
  };
  const draw = (on: HTMLCanvasElement, size: number): void => {
    const context = on.getContext("2d");
    if (context === null) return;
    const { x, y, side } = square();
    context.imageSmoothingQuality = "high";
    context.fillStyle = "#fff";
    context.fillRect(0, 0, size, size);
    context.drawImage(props.bitmap, x, y, side, side, 0, 0, size, size);
  };
  const move = (dx: number, dy: number): void => {
    const { width, height } = props.bitmap;
    const { x, y, side } = square();
    const scale = side / VIEW;
    const middle = (at: number, d: number, whole: number): number => Math.max(0, Math.min(1, (at + side / 2 - d * scale) / whole));
    setCentre({ x: middle(x, dx, width), y: middle(y, dy, height) });
    draw(canvas, SIDE);
  };
  const dragged = (event: PointerEvent): void => {
    if (event.buttons === 1) move(event.movementX, event.movementY);
  };
  const keys: Record<string, [number, number]> = { ArrowLeft: [16, 0], ArrowRight: [-16, 0], ArrowUp: [0, 16], ArrowDown: [0, -16] };
  const done = (): void => {
    const made = document.createElement("canvas");
    made.width = made.height = SIDE;
    draw(made, SIDE);
    // Browsers that cannot make WebP give a PNG.
    made.toBlob((image) => (image === null ? say(t("image.bad")) : void props.onDone(image)), "image/webp", 0.88);
  };

  return (
    <Dialog title={t("image.crop")} onClose={props.onClose}>
      <canvas
        ref={(el) => {
          canvas = el;
          queueMicrotask(() => draw(canvas, SIDE));
        }}
        class="crop"
        width={SIDE}
        height={SIDE}
        tabindex="0"
        role="img"
        aria-label={t("image.crop")}
        onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={dragged}
        onKeyDown={(event) => {
          const by = keys[event.key];
          if (by === undefined) return;
          event.preventDefault();
          move(...by);
        }}
      />
      <label class="crop-zoom">
        <span>{t("image.zoom")}</span>
        <input
          type="range"
          min="1"
          max={ZOOM}
          step="0.01"
          value={zoom()}
          onInput={(event) => {
            setZoom(Number(event.currentTarget.value));
            move(0, 0);
          }}
        />
      </label>
      <div class="dialog-buttons">
        <Button onClick={props.onClose}>{t("cancel")}</Button>
        <Button look="main" onClick={done}>
          {t("image.use")}
        </Button>
      </div>
    </Dialog>
  );
};
