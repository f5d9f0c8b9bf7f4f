import type { ConnectionError } from 'fastify'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { answeredWhole, arrivingRequest, isAnswerBroken, owedReplies, whenClosed } from '../http/request-scope.ts'
import { PROBLEMS, RequestError, toProblemAnswer, type ProblemCode } from '../api/problems.ts'
import { isInHandshake } from './handshakes.ts'
import { COMMON_HEADERS, requestId } from './requests.ts'

/** The content type of every problem. */
export const PROBLEM_JSON = 'application/problem+json; charset=utf-8'

// How long the answers to earlier requests of the connection may take: as long as the longest poll waits.
const MAX_OWED_MS = 65_000
// How long a refused client may take to close its side. Bytes that are still arriving would be answered by a reset, and
// many clients drop the answer then.
const LINGER_MS = 500

const SOCKET_CODES: Readonly<Record<string, readonly [ProblemCode, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['request_timeout', 'the request did not arrive completely in time'],
  HPE_HEADER_OVERFLOW: ['headers_too_large', 'the request line and headers are larger than HTTP_MAX_HEADER_BYTES']
}

// Connections whose last answer is decided: Node reports each further packet of theirs as an error too.
const refused = new WeakSet<Socket>()

/**
 * For bytes that do not form an HTTP request which a route could see. The answer is written to the socket by hand,
 * after the answers to the requests before them.
 *
 * @param pathPrefix what a proxy has before the paths of the gateway
 */
export function socketProblemSender (pathPrefix: string): (error: ConnectionError, socket: Socket) => void {
  return (error, socket) => { sendSocketProblem(error, socket, pathPrefix) }
}

function sendSocketProblem (error: ConnectionError, socket: Socket, pathPrefix: string): void {
  const canAnswer = (socket.writable || refused.has(socket)) && !isInHandshake(socket)
  if (error.code === 'ECONNRESET' || !canAnswer) {
    socket.destroy()
    return
  }
  if (refused.has(socket)) return
  refused.add(socket)
  const owed = owedReplies(socket)
  if (owed.length === 0) {
    refuse(error, socket, { isHead: isHead(error), pathPrefix })
    return
  }
  const timer = setTimeout(() => { socket.destroy() }, MAX_OWED_MS)
  let left = owed.length
  for (const reply of owed) {
    whenClosed(reply, () => {
      left--
      if (left > 0) return
      clearTimeout(timer)
      if (socket.writable) refuse(error, socket, { pathPrefix })
    })
  }
}

function refuse (error: ConnectionError, socket: Socket, to: Recipient): void {
  if (isAnswerBroken(socket)) {
    socket.destroy()
    return
  }
  const [code, message] = SOCKET_CODES[error.code] ?? ['bad_request', 'the request is not valid HTTP']
  const arriving = arrivingRequest(socket)
  const sideEffects = arriving?.hasEffects === true ? 'possible' : 'none'
  const id = arriving?.reply.request.id
  endWithProblem(socket, new RequestError(code, message, { sideEffects }), { ...to, id })
  if (arriving === undefined) return
  // For the log, which would otherwise say only that the client has gone.
  arriving.reply.code(PROBLEMS[code].status)
  answeredWhole(arriving.reply)
}

// The answer to HEAD has no body: a client would take a body for the next answer. The method can only be seen in the
// packet that was read last, which usually has the whole request. Where it does not, the request is most likely not a
// HEAD.
function isHead ({ rawPacket }: Partial<ConnectionError>): boolean {
  return Buffer.isBuffer(rawPacket) && rawPacket.toString('latin1', 0, 5) === 'HEAD '
}

interface Recipient { id?: string | undefined, isHead?: boolean, pathPrefix: string }

/** Writes a problem to a socket that has no response, and closes it. */
export function endWithProblem (socket: Duplex, error: RequestError, to: Recipient): void {
  const { id = requestId({ headers: {} }), isHead = false, pathPrefix } = to
  socket.on('error', () => {}) // no other listener is left
  const { problem, headers } = toProblemAnswer(error, id, pathPrefix)
  const body = JSON.stringify(problem)
  const all = {
    ...COMMON_HEADERS,
    ...headers,
    'content-type': PROBLEM_JSON,
    'content-length': Buffer.byteLength(body),
    'x-request-id': id,
    connection: 'close'
  }
  const head = Object.entries(all)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')
  const line = `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`
  socket.end(`${line}\r\n${head}\r\n${isHead ? '' : body}`, () => {
    const timer = setTimeout(() => { socket.destroy() }, LINGER_MS)
    socket.once('close', () => { clearTimeout(timer) })
  })
}
