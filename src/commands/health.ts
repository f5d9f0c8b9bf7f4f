import { get as getPlain, type ClientRequest, type IncomingMessage } from 'node:http'
import { get as getTls } from 'node:https'
import { readHttp } from '../settings/http.ts'
import { readOperationsPort } from '../settings/operations-port.ts'
import { SettingReader, type Environment } from '../settings/setting-reader.ts'
import type { Terminal } from './terminal.ts'

type Question = 'ready' | 'live'

interface Place {
  readonly isTls: boolean
  readonly host: string
  readonly port: number
  /** Whether it closes connections of clients without a certificate, such as this one. */
  readonly needsCertificate: boolean
}

// The gateway answers within two seconds: it asks the broker. The rest is for a busy machine.
const TIMEOUT_MS = 4000
const MAX_ANSWER_BYTES = 64 * 1024
// The gateway takes this name whatever other names it is called by.
const OWN_NAME = 'localhost'

/**
 * The command `health`: asks the gateway that runs with the same settings on this machine, on its port for operations
 * when there is one. It needs no credential, and does not look at the certificate, which is for another name.
 *
 * @param question what to ask; `ready` when it is left out
 * @returns the exit code: 0 when the gateway says yes, 1 when it does not or cannot be asked, 2 for another question
 */
export async function runHealth (
  question: string | undefined, env: Environment, { stdout, stderr }: Terminal
): Promise<number> {
  const asked = question ?? 'ready'
  if (asked !== 'ready' && asked !== 'live') {
    stderr.write('health is asked for "ready" or "live"; --help shows the commands\n')
    return 2
  }
  const fault = await faultOf(placeOf(env), asked)
  if (fault === undefined) stdout.write(`${asked}\n`)
  else stderr.write(`not ${asked}: ${fault}\n`)
  return fault === undefined ? 0 : 1
}

/** Where the gateway answers. It runs, so its settings are good, and files that they name need no reading. */
function placeOf (env: Environment): Place {
  const read = new SettingReader(env, () => '')
  const operations = readOperationsPort(read)
  if (operations.port !== undefined) {
    return { isTls: false, host: toReach(operations.host), port: operations.port, needsCertificate: false }
  }
  const { host, port, tls } = readHttp(read)
  return { isTls: tls !== undefined, host: toReach(host), port, needsCertificate: tls?.clientAuth === 'required' }
}

/** All addresses include those of this machine alone. */
function toReach (host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  return host === '::' ? '::1' : host
}

/** @returns why the answer is not yes */
async function faultOf (place: Place, asked: Question): Promise<string | undefined> {
  if (place.port === 0) return 'the gateway takes a free port, which only its log names: give OPS_PORT a number'
  try {
    const { status, body } = await ask(place, `/health/${asked}`)
    if (status === 200 && body['status'] === asked) return undefined
    return `${status}${typeof body['detail'] === 'string' ? ` ${body['detail']}` : ''}`
  } catch (error) {
    const isLate = error instanceof Error && error.name === 'AbortError'
    const reason = isLate ? `${TIMEOUT_MS} ms are over` : error instanceof Error ? error.message : String(error)
    const remedy = place.needsCertificate ? '; clients need a certificate at this port: set OPS_PORT' : ''
    return `${place.host} port ${place.port} does not answer: ${reason}${remedy}`
  }
}

async function ask (place: Place, path: string): Promise<{ status: number, body: Record<string, unknown> }> {
  const response = await responseOf(place, path)
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response) {
    if (!Buffer.isBuffer(chunk)) continue
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > MAX_ANSWER_BYTES) throw new Error('the answer is too long to be that of the gateway')
  }
  return { status: response.statusCode ?? 0, body: membersOf(Buffer.concat(chunks).toString()) }
}

async function responseOf ({ isTls, host, port }: Place, path: string): Promise<IncomingMessage> {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const options = { host, port, path, headers: { host: OWN_NAME }, agent: false, signal }
  return await new Promise((resolve, reject) => {
    const request: ClientRequest = isTls
      ? getTls({ ...options, rejectUnauthorized: false }, resolve)
      : getPlain(options, resolve)
    request.on('error', reject)
  })
}

/** The members of a JSON object; none of any other text. */
function membersOf (text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}
