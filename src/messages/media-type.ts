/** The media type of a `Content-Type` header without its parameters, in lower case; empty without a header. */
export function mediaTypeOf (contentType = ''): string {
  const [mediaType = ''] = contentType.split(';', 1)
  return mediaType.trim().toLowerCase()
}

const JSON_TYPES: ReadonlySet<string> = new Set(['application/json', 'text/json'])
const JSON_LINES_TYPES: ReadonlySet<string> = new Set([
  'application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/x-jsonl', 'application/jsonlines',
  'application/x-jsonlines', 'application/json-lines', 'application/x-json-lines', 'text/jsonl', 'text/x-jsonl',
  'text/x-ndjson'
])

/** Whether a body of this media type, cut into lines, has a JSON text in each. */
export function hasJsonLines (mediaType: string): boolean {
  return JSON_LINES_TYPES.has(mediaType) || JSON_TYPES.has(mediaType) || mediaType.endsWith('+json')
}

const INERT_TYPES: ReadonlySet<string> = new Set([
  'application/json', 'application/problem+json', 'application/x-ndjson', 'application/ndjson', 'application/jsonl',
  'application/octet-stream', 'text/plain', 'text/csv', 'text/tab-separated-values', 'image/png', 'image/jpeg',
  'image/gif', 'image/webp', 'image/avif', 'image/bmp'
])

/**
 * Whether a browser only shows a body of this media type. It may run others: pages, pictures in SVG, XML, scripts,
 * style sheets, PDF, and what browsers will learn.
 */
export function isInert (mediaType: string): boolean {
  return INERT_TYPES.has(mediaType) || /^(?:audio|video)\//.test(mediaType)
}

/**
 * Whether a body of this media type is a form. Programs send these types unasked: `curl -d @file` takes the line feeds
 * out of the file and calls the rest a form, and `curl -F` puts headers around it.
 */
export function isForm (mediaType: string): boolean {
  return mediaType === 'application/x-www-form-urlencoded' || mediaType === 'multipart/form-data'
}
