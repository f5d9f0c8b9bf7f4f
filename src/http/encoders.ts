import type { Transform } from 'node:stream'
import * as zlib from 'node:zlib'

/** A content coding of answers. */
export interface AnswerCoding {
  readonly name: string
  /** A stream that encodes, in a thread of the runtime. It takes up to 2 MiB. */
  readonly open: (answerBytes: number) => Transform
}

const { BROTLI_PARAM_LGWIN, BROTLI_PARAM_QUALITY, BROTLI_PARAM_SIZE_HINT } = zlib.constants
const CHUNK_BYTES = 64 * 1024
// Windows of 256 KiB. A larger one makes answers only a little smaller, and takes its memory for each client.
const WINDOW_LOG = 18
// The quality at which Brotli is about as fast as gzip.
const BROTLI_QUALITY = 4
// ZSTD_c_compressionLevel and ZSTD_c_windowLog of zstd.h
const ZSTD_LEVEL_AND_WINDOW = { 100: 3, 101: WINDOW_LOG }

/** The codings of answers, the cheapest one first. */
export const ANSWER_CODINGS: readonly AnswerCoding[] = [
  ...zstdOfRuntime(),
  {
    name: 'br',
    open: (answerBytes) => zlib.createBrotliCompress({
      chunkSize: CHUNK_BYTES,
      params: {
        [BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
        [BROTLI_PARAM_LGWIN]: WINDOW_LOG,
        [BROTLI_PARAM_SIZE_HINT]: answerBytes
      }
    })
  },
  { name: 'gzip', open: () => zlib.createGzip({ chunkSize: CHUNK_BYTES }) }
]

// Node.js has it since 22.15. It is looked up, because the types are those of the oldest supported version.
function zstdOfRuntime (): AnswerCoding[] {
  const make: unknown = Reflect.get(zlib, 'createZstdCompress')
  if (!isMaker(make)) return []
  return [{ name: 'zstd', open: () => make({ chunkSize: CHUNK_BYTES, params: ZSTD_LEVEL_AND_WINDOW }) }]
}

function isMaker (make: unknown): make is (options: object) => Transform {
  return typeof make === 'function'
}
