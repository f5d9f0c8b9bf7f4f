import type { Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import { RequestError } from '../api/problems.ts'

/** A coding of `Content-Encoding` (RFC 9110, 8.4.1; RFC 8878). */
export interface ContentCoding {
  readonly name: string
  /** What decodes a body that begins with these bytes. */
  readonly decoderFor: (start: Buffer) => Decoder
}

/** A stream that decodes, in a thread of the runtime, and the memory that it takes, bytes. */
export interface Decoder {
  /** Makes the stream. Until then it takes no memory. */
  readonly open: () => DecoderStream
  readonly memoryBytes: number
}

/** `bytesWritten`: the bytes that it has decoded. */
export type DecoderStream = Transform & { readonly bytesWritten: number }

// Decoded bytes that are made in one go: few, so that a body is stopped soon after its limit.
const OPTIONS = { chunkSize: 64 * 1024 }
// What waits before and behind a decoder, and its state. The window of zlib, 32 KiB, is in it.
const DECODER_BYTES = 256 * 1024

const CODINGS: readonly ContentCoding[] = [
  { name: 'gzip', decoderFor: () => ({ open: () => zlib.createGunzip(OPTIONS), memoryBytes: DECODER_BYTES }) },
  { name: 'deflate', decoderFor: (start) => ({ open: () => openDeflate(start), memoryBytes: DECODER_BYTES }) },
  {
    name: 'br',
    decoderFor: (start) => ({
      open: () => zlib.createBrotliDecompress(OPTIONS),
      memoryBytes: DECODER_BYTES + 2 ** brotliWindowLog(start[0] ?? 0)
    })
  },
  ...zstdOfRuntime()
]

/** The codings that are read, as a value of `Accept-Encoding`. */
export const READ_CODINGS = CODINGS.map(({ name }) => name).join(', ')

/**
 * The coding of a body; undefined when it has none. A RequestError `unsupported_media_type` for an unknown coding, and
 * for several: a body that is compressed twice can grow by the square.
 */
export function codingOf (contentEncoding: string): ContentCoding | RequestError | undefined {
  const names = contentEncoding.split(',').map((name) => name.trim().toLowerCase())
  const [given, another] = names.filter((name) => name !== '' && name !== 'identity')
  if (given === undefined) return undefined
  const coding = CODINGS.find(({ name }) => name === given || `x-${name}` === given)
  if (coding !== undefined && another === undefined) return coding
  const fault = another === undefined ? `cannot be ${given.slice(0, 50)}` : 'can name only one coding'
  return new RequestError('unsupported_media_type', `Content-Encoding ${fault}; bodies are read in ${READ_CODINGS}`, {
    headers: { 'accept-encoding': READ_CODINGS }
  })
}

// Some programs take the name at its word and leave out the header of zlib.
function openDeflate (start: Buffer): DecoderStream {
  const hasHeader = ((start[0] ?? 0) & 0x0f) === 8
  return hasHeader ? zlib.createInflate(OPTIONS) : zlib.createInflateRaw(OPTIONS)
}

// RFC 7932, 9.1. A value that is not valid is refused by the decoder.
function brotliWindowLog (byte: number): number {
  if ((byte & 1) === 0) return 16
  const high = (byte >> 1) & 7
  if (high !== 0) return 17 + high
  const low = (byte >> 4) & 7
  return low === 0 ? 17 : 8 + low
}

// RFC 9659 sets this bound for the web: 8 MiB.
const MAX_ZSTD_WINDOW_LOG = 23
const MIN_ZSTD_WINDOW_LOG = 17
const ZSTD_MAGIC = 0xfd2f_b528
const ZSTD_WINDOW_LOG_MAX = 100 // ZSTD_d_windowLogMax

// RFC 8878, 3.1.1.1. Of a start that is not the header of a frame nothing is known.
function zstdWindowLog (start: Buffer): number {
  if (start.length < 18 || start.readUInt32LE(0) !== ZSTD_MAGIC) return MAX_ZSTD_WINDOW_LOG
  const isSingleSegment = ((start[4] ?? 0) & 0x20) !== 0
  const log = isSingleSegment ? Math.ceil(Math.log2(zstdContentBytes(start))) : windowDescriptorLog(start[5] ?? 0)
  return Math.max(MIN_ZSTD_WINDOW_LOG, Math.min(log, MAX_ZSTD_WINDOW_LOG))
}

function windowDescriptorLog (byte: number): number {
  return 10 + (byte >> 3) + ((byte & 7) === 0 ? 0 : 1)
}

function zstdContentBytes (start: Buffer): number {
  const descriptor = start[4] ?? 0
  const at = 5 + ([0, 1, 2, 4][descriptor & 3] ?? 0)
  switch (descriptor >> 6) {
    case 0: return start.readUInt8(at)
    case 1: return start.readUInt16LE(at) + 256
    case 2: return start.readUInt32LE(at)
    default: return Number(start.readBigUInt64LE(at))
  }
}

// Node.js has it since 22.15. It is looked up, because the types are those of the oldest supported version.
function zstdOfRuntime (): ContentCoding[] {
  const make: unknown = Reflect.get(zlib, 'createZstdDecompress')
  if (!isMaker(make)) return []
  return [{
    name: 'zstd',
    decoderFor: (start) => {
      const windowLog = zstdWindowLog(start)
      return {
        // A later frame with a larger window is refused: its memory was not counted.
        open: () => make({ ...OPTIONS, params: { [ZSTD_WINDOW_LOG_MAX]: windowLog } }),
        memoryBytes: DECODER_BYTES + 2 ** windowLog
      }
    }
  }]
}

function isMaker (make: unknown): make is (options: object) => DecoderStream {
  return typeof make === 'function'
}
