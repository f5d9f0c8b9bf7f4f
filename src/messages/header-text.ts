import { isUtf8 } from 'node:buffer'

/** The text of a header. Node decodes headers as Latin-1, but many clients send UTF-8. */
export function headerText (header: string | string[] | undefined): string | undefined {
  const text = Array.isArray(header) ? header.join(', ') : header
  if (text === undefined || /^[\x20-\x7e]*$/.test(text)) return text
  const bytes = Buffer.from(text, 'latin1')
  return isUtf8(bytes) ? bytes.toString('utf8') : text
}
