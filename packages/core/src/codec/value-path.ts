/**
 * Names the part of a value that cannot be encoded, as `value.items[3].callback`, for the messages of both codecs.
 * A path holds property names and never a value; it is cut where it would grow without bound.
 */

const NAME_CHARS_MAX = 64;
const PATH_CHARS_MAX = 512;
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

/** The step from an object to its property. */
export function propertyStep(key: string): string {
  const name = key.length > NAME_CHARS_MAX ? `${key.slice(0, NAME_CHARS_MAX)}…` : key;
  return IDENTIFIER.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}

/** The step from an array to its element. */
export function elementStep(index: number): string {
  return `[${index}]`;
}

/** The whole path, its middle left out where it is long. */
export function valuePath(steps: string): string {
  if (steps.length <= PATH_CHARS_MAX) return `value${steps}`;
  const half = PATH_CHARS_MAX / 2;
  return `value${steps.slice(0, half)}…${steps.slice(-half)}`;
}
