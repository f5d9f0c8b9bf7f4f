// Messages between the wire (JSON, raw bodies, lines) and the domain. The mapping is described in docs/messages.md.

export { MessageFormatError } from './codec-error.ts'
export { parseMessage } from './codec-write.ts'
export type { ParsedMessage } from './codec-write.ts'
export { messageToJsonText } from './codec-read.ts'
export type { ReadEncoding } from './codec-read.ts'
export { lineBody, rawBody, rawMessage } from './codec-raw.ts'
export { batchToJsonText } from './codec-batch.ts'
export { linesOf } from './codec-lines.ts'
