import { parentPort } from 'node:worker_threads'
import { expandSubBatch } from '../compression.ts'
import { CompressionError, type CompressionErrorReason } from '../errors.ts'

/** What the worker is told to expand; see `expandSubBatch`. */
export interface WorkerTask {
  readonly compression: number
  readonly bytes: Uint8Array
  readonly uncompressedLength: number
  readonly recordCount: number
  readonly maxBytes: number
}

/** What it answers. One task is worked on at a time. */
export type WorkerAnswer =
  | { readonly data: Uint8Array, readonly ends: Uint32Array, readonly byteLength: number }
  | { readonly reason: CompressionErrorReason, readonly message: string }

// Runs as the whole of a thread of its own: see `Expander`.
const port = parentPort
port?.on('message', ({ compression, bytes, uncompressedLength, recordCount, maxBytes }: WorkerTask) => {
  try {
    const { data, ends, byteLength } = expandSubBatch(compression, bytes, uncompressedLength, recordCount, maxBytes)
    const answer: WorkerAnswer = { data, ends, byteLength }
    // Moved, not copied.
    port.postMessage(answer, [data.buffer, ends.buffer].filter((buffer) => buffer instanceof ArrayBuffer))
  } catch (error) {
    if (!(error instanceof CompressionError)) throw error
    const answer: WorkerAnswer = { reason: error.reason, message: error.message }
    port.postMessage(answer)
  }
})
