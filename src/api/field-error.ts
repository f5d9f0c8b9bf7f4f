/** A field that is wrong: where (a JSON pointer into the body, or `/query/limit`) and why. */
export interface FieldError { readonly pointer: string, readonly message: string }

/** At most this many of them are named: a request can be wrong in a million places. */
export const MAX_FIELD_ERRORS = 20

const HALF_AT_END = /[\uD800-\uDBFF]$/
const MAX_SUMMARIZED = 3
const MAX_SUMMARY_LENGTH = 400

/** The first errors as one short text: `/messages is required; /order is unknown`. */
export function summaryOf (errors: readonly FieldError[]): string {
  const sentences = errors.slice(0, MAX_SUMMARIZED).map(({ pointer, message }) =>
    // Some messages are whole sentences: "a stream name must not be empty".
    `${pointer === '' ? 'the body' : pointer}${/^an? /.test(message) ? ':' : ''} ${message}`
  )
  if (errors.length > MAX_SUMMARIZED) sentences.push(`${errors.length - MAX_SUMMARIZED} more in errors`)
  const text = sentences.length === 0 ? 'the request is not valid' : sentences.join('; ')
  // No half of a character before the dots.
  return text.length <= MAX_SUMMARY_LENGTH ? text : `${text.slice(0, MAX_SUMMARY_LENGTH).replace(HALF_AT_END, '')} ...`
}
