import { setTimeout as delay } from 'node:timers/promises'
import * as jsClient from 'rabbitmq-stream-js-client'

// A program: a native client that is a member of the group `c` of a stream, and prints what happens to it. It is one of
// its own so that it can be killed.
const [, , host = '', port = '', stream = '', answerMs = '0'] = process.argv

const say = (what: object): void => { process.stdout.write(`${JSON.stringify(what)}\n`) }
const login = { username: 'guest', password: 'guest', vhost: '/', heartbeat: 0 }
const client = await jsClient.connect({ hostname: host, port: Number(port), ...login })
await client.declareConsumer({
  stream,
  consumerRef: 'c',
  singleActive: true,
  offset: jsClient.Offset.first(),
  async consumerUpdateListener (reference, stream) {
    say({ asked: true })
    await delay(Number(answerMs))
    const stored = await client.queryOffset({ reference, stream }).catch(() => -1n)
    return jsClient.Offset.offset(stored + 1n)
  }
}, ({ offset }) => { say({ offset: Number(offset) }) })
say({ joined: true })
