// Only characters that mean nothing in a header, in HTML or in a URL. A dot alone would be a step in a path.
const PREFIX = /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~-]+)+$/
/** In characters. */
export const MAX_PREFIX_LENGTH = 200

/** A path prefix as it is put before paths, without a slash at its end; undefined for any other text. */
export function toPathPrefix (text: string): string | undefined {
  const prefix = text.replace(/\/$/, '')
  if (prefix === '') return ''
  return prefix.length <= MAX_PREFIX_LENGTH && PREFIX.test(prefix) ? prefix : undefined
}
