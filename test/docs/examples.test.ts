import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { getJson, run, startGatewayProcess } from './support.ts'

const PROGRAMS = {
  javascript: {
    command: process.execPath,
    publishAndConsume: 'publish-and-consume.mjs',
    errorStream: 'error-stream.mjs',
    retry: 'retry-with-backoff.mjs'
  },
  python: {
    command: 'python3',
    publishAndConsume: 'publish_and_consume.py',
    errorStream: 'error_stream.py',
    retry: 'retry_with_backoff.py'
  }
} as const

const languages = ['javascript', 'python'] as const

async function runExample (
  t: Test,
  language: keyof typeof PROGRAMS,
  program: 'publishAndConsume' | 'errorStream' | 'retry',
  env: Record<string, string>
): Promise<string> {
  const { command, [program]: file } = PROGRAMS[language]
  const { code, stdout, stderr } = await run(command, [`examples/${language}/${file}`], {
    BACKOFF_SECONDS: '0.01',
    ...env
  })
  t.equal(code, 0, `${file}: ${stderr}`)
  t.match(stdout, /end of stream\n$/)
  return stdout
}

for (const language of languages) {
  t.test(`${language}: what is published is consumed once, from run to run`, async (t) => {
    const gateway = await startGatewayProcess(t)
    const env = { GATEWAY_URL: gateway, STREAM: 'once' }
    const first = await runExample(t, language, 'publishAndConsume', env)
    t.match(first, 'stored 10, duplicates 0')
    const second = await runExample(t, language, 'publishAndConsume', env)
    t.same(ordersIn(first + second), Array.from({ length: 20 }, (_, index) => index + 1))
    t.match(await getJson(`${gateway}/v1/streams/once/consumers/billing/offset`), { lag: 0 })
  })

  t.test(
    `${language}: a message that fails goes to the error stream, as it was, and the next ones are processed`,
    async (t) => {
      const gateway = await startGatewayProcess(t)
      await runExample(t, language, 'errorStream', { GATEWAY_URL: gateway, STREAM: 'a/b' })
      const { messages } = await getJson(`${gateway}/v1/streams/a%2Fb_errors/messages`)
      t.equal(messages.length, 1)
      t.match(messages[0], {
        body: { number: 3, quantity: 'three' },
        properties: { contentType: 'application/json' },
        applicationProperties: {
          'error-text': 'the quantity of order 3 is not a number',
          'error-stream': 'a/b',
          'error-offset': '2',
          'error-time': /^\d{4}-\d\d-\d\dT/
        }
      })
      t.match(await getJson(`${gateway}/v1/streams/a%2Fb/consumers/billing/offset`), { storedOffset: 4, lag: 0 })
    }
  )

  t.test(`${language}: a message that fails is tried again before it goes to the error stream`, async (t) => {
    const gateway = await startGatewayProcess(t)
    const output = await runExample(t, language, 'retry', { GATEWAY_URL: gateway, STREAM: 'payments' })
    t.match(output, 'payment 2 worked at attempt 2')
    t.match(
      output,
      /payment 3 failed, trying again in 0\.01 s\npayment 3 failed, trying again in 0\.02 s\npayment 3 failed, for good/
    )
    t.match(output, 'payment 4 worked at attempt 1')
    const { messages } = await getJson(`${gateway}/v1/streams/payments_errors/messages`)
    t.same(messages.map(({ body }: { body: unknown }) => body), [{ number: 3, failures: 1000 }])
  })

  t.test(`${language}: refused requests and lost answers change nothing`, async (t) => {
    const gateway = await startGatewayProcess(t)
    const output = await runExample(t, language, 'publishAndConsume', {
      GATEWAY_URL: await startTroubleBefore(t, gateway),
      STREAM: 'trouble'
    })
    t.match(output, 'stored 0, duplicates 10', 'the publish that seemed to time out had worked')
    t.same(ordersIn(output), Array.from({ length: 10 }, (_, index) => index + 1))
    const { messages } = await getJson(`${gateway}/v1/streams/trouble/messages`)
    t.equal(messages.length, 10)
  })

  t.test(`${language}: a program that is behind another one of its name goes on where that is`, async (t) => {
    const gateway = await startGatewayProcess(t)
    const ahead = await startAheadOf(t, gateway)
    const output = await runExample(t, language, 'publishAndConsume', { GATEWAY_URL: ahead, STREAM: 'twice' })
    t.match(output, 'another program of this name is ahead: continuing where it is')
    t.same(ordersIn(output), [1, 2, 3, 4, 9, 10], 'it handles its first batch, and what the other one has not')
  })

  t.test(`${language}: what will not pass is not repeated, and a gateway that stays away is given up`, async (t) => {
    const { command, publishAndConsume } = PROGRAMS[language]
    const gateway = await startGatewayProcess(t)
    const refused = await run(command, [`examples/${language}/${publishAndConsume}`], {
      GATEWAY_URL: gateway,
      STREAM: 'amq.reserved'
    })
    t.not(refused.code, 0)
    t.match(refused.stderr, 'validation_failed')
    t.notMatch(refused.stdout, 'trying again')
    const away = await run(command, [`examples/${language}/${publishAndConsume}`], { GATEWAY_URL: await startAway(t) })
    t.not(away.code, 0)
    t.equal(away.stdout.match(/trying again in 0 s/g)?.length, 4)
  })
}

function ordersIn (output: string): number[] {
  return [...output.matchAll(/^offset \d+: .*?(\d+)\}$/gm)].map(([, order]) => Number(order))
}

/**
 * Something before a gateway that refuses every request once, and says of the first publish that worked that it timed
 * out.
 */
async function startTroubleBefore (t: Test, gateway: string): Promise<string> {
  const refused = new Set<string>()
  let hasTimedOut = false
  return await listen(t, (request, response) => {
    const { method = 'GET', url = '/', headers } = request
    const name = `${method} ${url}`
    if (!refused.has(name)) {
      refused.add(name)
      request.resume()
      sendProblem(response, 503, { code: 'overloaded', retryable: true, sideEffects: 'none' })
      return
    }
    const onward = forward(gateway + url, { method, headers, agent: false }, (answer) => {
      if (method === 'POST' && !hasTimedOut) {
        hasTimedOut = true
        answer.resume()
        sendProblem(response, 504, { code: 'confirm_timeout', retryable: true, sideEffects: 'possible' })
        return
      }
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
    })
    request.pipe(onward)
  })
}

/** Something before a gateway that stores a later offset before the first commit arrives, as another program does. */
async function startAheadOf (t: Test, gateway: string): Promise<string> {
  let isAhead = false
  return await listen(t, async (request, response) => {
    const { method = 'GET', url = '/', headers } = request
    if (!isAhead && url.includes('commit=')) {
      isAhead = true
      await fetch(`${gateway}${url.replace(/\/messages.*/, '/offset')}`, {
        method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{"offset":7}'
      })
    }
    // A connection of its own: one that is kept may be closed by the gateway at the moment it is used again.
    const onward = forward(gateway + url, { method, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
    })
    request.pipe(onward)
  })
}

async function startAway (t: Test): Promise<string> {
  return await listen(t, (request, response) => {
    request.resume()
    sendProblem(response, 503, { code: 'broker_unavailable', retryable: true, sideEffects: 'none' })
  })
}

function sendProblem (response: ServerResponse, status: number, problem: object): void {
  response
    .writeHead(status, { 'content-type': 'application/problem+json', 'retry-after': '0' })
    .end(JSON.stringify({ detail: 'made by the test', ...problem }))
}

type Handle = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>

async function listen (t: Test, handle: Handle): Promise<string> {
  const server = createServer((request, response) => { void handle(request, response) }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no address')
  return `http://127.0.0.1:${address.port}`
}
