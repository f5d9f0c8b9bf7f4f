// Messages between the wire (JSON, raw bodies, lines) and the domain. The mapping is described in docs/messages.md.

export { MessageFormatError } from './format-error.ts'
export { parseMessage } from './write-json.ts'
export type { ParsedMessage } from './write-json.ts'
export { messageToJsonText } from './read-json.ts'
export type { ReadEncoding } from './read-json.ts'
export { lineBody, rawBody, rawMessage } from './raw.ts'
export { batchToJsonText } from './batch-json.ts'
export { linesOf } from './lines.ts'
