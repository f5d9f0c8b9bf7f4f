import { connect, createServer } from 'node:net'
import * as jsClient from 'rabbitmq-stream-js-client'
import { CompressionType } from 'rabbitmq-stream-js-client/dist/compression.js'
import { CommandKey, Connection } from '../../src/streams/protocol/index.ts'
import { handlers, optionsFromUrl } from '../unit/protocol/open-connection.ts'

// Shows one fault of rabbitmq-stream-js-client in a process of its own, which the fault may end:
// `js-client-fault.ts FAULT STREAM`. What the client does is written to standard output; see js-client-faults.test.ts.

const url = new URL(process.env['TEST_STREAM_URL'] ?? '')
const [fault = '', stream = ''] = process.argv.slice(2)
const say = (what: unknown): void => {
  const text = JSON.stringify(what, (_, value: unknown) => typeof value === 'bigint' ? Number(value) : value)
  process.stdout.write(`${text}\n`)
}
const pause = async (ms: number): Promise<void> => { await new Promise((resolve) => setTimeout(resolve, ms)) }
const login = {
  hostname: url.hostname,
  port: Number(url.port),
  username: 'guest',
  password: 'guest',
  vhost: '/',
  heartbeat: 0
}

interface Meddler {
  client: jsClient.Client
  add: (frame: Buffer) => void
  end: () => void
}

/** Passes everything on to RabbitMQ and adds a frame of its own when told to. */
async function throughMeddler (): Promise<Meddler> {
  const sockets: Array<ReturnType<typeof connect>> = []
  const server = createServer((socket) => {
    const upstream = connect(Number(url.port), url.hostname)
    socket.pipe(upstream).on('error', () => {})
    upstream.pipe(socket).on('error', () => {})
    sockets.push(socket)
  })
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
  const addressResolver = { enabled: true, endpoint: { host: '127.0.0.1', port } }
  const client = await jsClient.connect({ ...login, hostname: '127.0.0.1', port, addressResolver })
  return {
    client,
    add: (frame) => { for (const socket of sockets) socket.write(frame) },
    end: () => { for (const socket of sockets) socket.destroy() }
  }
}

const FAULTS: Record<string, () => Promise<void>> = {
  async 'close of the broker' () {
    const { add } = await throughMeddler()
    const reason = Buffer.from('bye').toString('hex')
    add(Buffer.from('0000000f' + '00160001' + '00000001' + '0001' + '0003' + reason, 'hex'))
    await pause(500)
    say('alive')
  },
  async 'foreign message' () {
    const client = await jsClient.connect(login)
    await client.declareConsumer({ stream, offset: jsClient.Offset.first() }, () => { say('read') })
    await pause(1000)
    say('alive')
  },
  async 'wrong password' () {
    process.on('unhandledRejection', () => { say('unhandled') })
    process.on('uncaughtException', () => { say('uncaught') })
    jsClient.connect({ ...login, password: 'wrong' }).then(() => { say('settled') }, () => { say('settled') })
    await pause(6000)
    process.exit()
  },
  async 'no deadline' () {
    const { client, end } = await throughMeddler()
    const asked = client.queryOffset({ reference: 'r', stream }).then(() => 'settled', () => 'settled')
    end()
    say(await Promise.race([asked, pause(3000).then(() => 'waits')]))
    process.exit()
  },
  async 'publish error' () {
    const { client, add } = await throughMeddler()
    const publisher = await client.declarePublisher({ stream })
    publisher.on('publish_confirm', (error: unknown, ids: unknown) => { say([error, ids]) })
    const id = Buffer.alloc(8)
    id.writeBigUInt64BE(77n)
    const head = Buffer.from('00000013' + `000${CommandKey.publishError}0001` + '00' + '00000001', 'hex')
    add(Buffer.concat([head, id, Buffer.from('0011', 'hex')]))
    await pause(1000)
    process.exit()
  },
  async 'offsets in batches' () {
    const client = await jsClient.connect(login)
    const publisher = await client.declarePublisher({ stream })
    for (const text of ['a', 'b']) {
      const entries = ['1', '2', '3'].map((digit) => ({ content: Buffer.from(text + digit) }))
      await publisher.sendSubEntries(entries, CompressionType.Gzip)
    }
    await pause(500)
    const offsets: unknown[] = []
    await client.declareConsumer({ stream, offset: jsClient.Offset.first() }, (message) => {
      offsets.push([message.content.toString(), message.offset])
    })
    await pause(1000)
    say(offsets)
    process.exit()
  },
  async 'frames by number' () {
    const client = await jsClient.connect(login)
    const publisher = await client.declarePublisher({ stream })
    await publisher.send(Buffer.from('a small one'))
    await pause(500)
    const sent = await Promise.allSettled(Array.from({ length: 5 }, async () => {
      await publisher.send(Buffer.alloc(600_000))
    }))
    await pause(1000)
    const counted = new Promise<number>((resolve, reject) => {
      let records = 0
      const handling = handlers({
        delivered: (_, chunk) => {
          records += chunk.recordCount
          connection.then((open) => { open.credit(0, 1) }, reject)
        }
      })
      const connection = Connection.open(optionsFromUrl(url.href, { handlers: handling }))
      connection.then(async (open) => {
        await open.subscribe(0, stream, { type: 'first' }, 1, new Map())
        await pause(500)
        resolve(records)
      }).catch(reject)
    })
    say([sent.filter(({ status }) => status === 'fulfilled').length, await counted])
    process.exit()
  }
}

await FAULTS[fault]?.()
