// Reads a QR code off the screen, as a wallet's camera does.
import jsqr from "jsqr";
import { PNG } from "pngjs";

// The text of the code that an element shows, or null.
export async function scan(locator) {
  const image = PNG.sync.read(await locator.screenshot());
  return jsqr(new Uint8ClampedArray(image.data), image.width, image.height)?.data ?? null;
}
