import type { Lead } from '../messages/index.ts'

/** What a live answer says beside its messages. */
export type ControlName = 'state' | 'gap' | 'reset' | 'active' | 'inactive' | 'bye' | 'problem'

/** How messages and control events are written. */
export interface LiveFormat {
  readonly name: 'sse' | 'ndjson'
  readonly mediaType: string
  /** Between two messages. */
  readonly between: string
  /** Before each message. */
  readonly lead: Lead | undefined
  /** After the last message. */
  readonly after: string
  /** @param id where to go on; undefined where nothing was read */
  readonly control: (name: ControlName, id: number | string | undefined, data: object, retryMs?: number) => string
  /** In place of a state event, where the client wants none: it shows that the connection is alive. */
  readonly quiet: (id: number | string, retryMs?: number) => string
  /**
   * Of a super stream, before each message: `cursorLead` of the beginning of the cursor after it, `cursorEnd` of its
   * end, and `cursorOpening` in place of `{`.
   */
  readonly cursorLead: (beginning: string) => string
  readonly cursorEnd: (end: string) => string
  readonly cursorOpening: string
}

/** Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html */
export const SSE: LiveFormat = {
  name: 'sse',
  mediaType: 'text/event-stream',
  between: '\n\n',
  lead: (reached) => `id: ${reached}\ndata: `,
  after: '\n\n',
  control: (name, id, data, retryMs) =>
    `${retryText(retryMs)}${id === undefined ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`,
  // A block without data is no event, and yet its id is kept.
  quiet: (id, retryMs) => `${retryText(retryMs)}id: ${id}\n\n`,
  cursorLead: (beginning) => `id: ${beginning}`,
  cursorEnd: (end) => `${end}\ndata: `,
  cursorOpening: '{'
}

/** One message a line. A line that is not a message has one key, which begins with `$`. */
export const FOLLOWING_NDJSON: LiveFormat = {
  name: 'ndjson',
  mediaType: 'application/x-ndjson',
  between: '\n',
  lead: undefined,
  after: '\n',
  control: (name, _id, data) => `${JSON.stringify({ [`$${name}`]: data })}\n`,
  quiet: () => '\n',
  cursorLead: (beginning) => `{"nextCursor":"${beginning}`,
  cursorEnd: (end) => `${end}",`,
  cursorOpening: ''
}

function retryText (retryMs: number | undefined): string {
  return retryMs === undefined ? '' : `retry: ${retryMs}\n`
}

/** When a client is to come back that was cut. */
export const RETRY_MS = 2000
const MIN_BYE_RETRY_MS = 500
const MAX_BYE_RETRY_MS = 3000

/** When a client is to come back after a proper end: not all at once. */
export function byeRetryMs (): number {
  return MIN_BYE_RETRY_MS + Math.floor(Math.random() * (MAX_BYE_RETRY_MS - MIN_BYE_RETRY_MS))
}
