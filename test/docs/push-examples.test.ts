import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import t, { type Test } from 'tap'
import { until } from '../support/until.ts'
import { blocksOf } from './steps.ts'
import { run } from './support.ts'

t.jobs = 2

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const OTHER = `whsec_${Buffer.alloc(32, 8).toString('base64')}`
const SECRETS = [OTHER, SECRET]
const BODY = '{"offset":42,"timestamp":"2026-01-31T12:00:00.000Z","body":{"order":1},"bodyEncoding":"json"}'
const ID = 'msg_c29tZSBpZCBvZiBhIG1lc3NhZ2U'

/** The headers of a delivery. The oracle signs. */
function signed (body: string, { secret = SECRET, id = ID, ageSeconds = 0 } = {}): Record<string, string> {
  const at = new Date(Date.now() - ageSeconds * 1000)
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': `v1,AAAA ${new Webhook(secret).sign(id, at, body)}`,
    'content-type': 'application/json'
  }
}

const RECEIVERS = {
  python: ['python3', 'examples/python/push_receiver.py'],
  javascript: [process.execPath, 'examples/javascript/push-receiver.mjs']
} as const

async function startReceiver (t: Test, [command, file]: readonly [string, string]) {
  const child = spawn(command, [file], {
    env: { ...process.env, SECRETS: SECRETS.join(','), PORT: '0' }, stdio: ['ignore', 'pipe', 'pipe']
  })
  t.teardown(() => { child.kill('SIGKILL') })
  const said = { output: '' }
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => { said.output += chunk.toString() })
  }
  await until('it listens', () => /listening on \S+/.test(said.output))
  const [url = ''] = /http:\S+/.exec(said.output) ?? []
  return { url, said }
}

for (const [language, command] of Object.entries(RECEIVERS)) {
  t.test(`${language}: the receiver takes what is signed, once, and refuses everything else`, async (t) => {
    const { url, said } = await startReceiver(t, command)
    const send = async (body: string, headers: Record<string, string>): Promise<number> =>
      (await fetch(url, { method: 'POST', headers, body })).status
    t.equal(await send(BODY, signed(BODY)), 204)
    t.equal(await send(BODY, signed(BODY)), 204)
    t.equal(said.output.match(/processed 42 \{"order": ?1\}/g)?.length, 1, said.output)
    t.equal(await send(BODY, signed(BODY, { secret: OTHER, id: 'msg_2' })), 204, 'with the other secret')
    t.equal(await send(BODY.replace('1}', '2}'), signed(BODY)), 401, 'another body')
    t.equal(await send(BODY, { ...signed(BODY), 'webhook-id': 'msg_1' }), 401, 'another id')
    t.equal(await send(BODY, signed(BODY, { ageSeconds: 400 })), 401, 'recorded')
    t.equal(await send(BODY, { 'content-type': 'application/json' }), 401, 'not signed')
    const bad = BODY.replace('{"order":1}', '"bad"')
    t.equal(await send(bad, signed(bad, { id: 'msg_3' })), 422)
    t.equal(await send('{"test":true}', { ...signed('{"test":true}', { id: 'msg_4' }), 'delivery-test': 'true' }), 204)
  })
}

const page = readFileSync('docs/push.md', 'utf8')

function snippet (language: string): string {
  const block = blocksOf(page).find((block) => block.language === language)
  if (block === undefined) throw new Error(`the page has no ${language}`)
  return block.text
}

interface Case { readonly headers: Record<string, string>, readonly body: string, readonly isGood: boolean }

const CASES: readonly Case[] = [
  { headers: signed(BODY), body: BODY, isGood: true },
  { headers: signed(BODY, { secret: OTHER }), body: BODY, isGood: true },
  { headers: signed(BODY), body: `${BODY} `, isGood: false },
  { headers: signed(BODY, { ageSeconds: 400 }), body: BODY, isGood: false },
  { headers: signed(BODY, { secret: `whsec_${Buffer.alloc(32, 9).toString('base64')}` }), body: BODY, isGood: false }
]

// Each program says `true` or `false` for its arguments: id, timestamp, signatures, body, secrets.
const PROGRAMS: Readonly<Record<string, (folder: string) => Promise<readonly string[]>>> = {
  python: async (folder) => {
    const file = join(folder, 'verify.py')
    writeFileSync(file, `${snippet('python')}
import sys
id, timestamp, signatures, body, *secrets = sys.argv[1:]
headers = {"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures}
print(str(is_signed(headers, body.encode(), secrets)).lower())
`)
    return ['python3', file]
  },
  js: async (folder) => {
    const file = join(folder, 'verify.mjs')
    writeFileSync(file, `${snippet('js')}
const [id, timestamp, signatures, body, ...secrets] = process.argv.slice(2)
const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures }
console.log(isSigned(headers, Buffer.from(body), secrets))
`)
    return [process.execPath, file]
  },
  go: async (folder) => {
    writeFileSync(join(folder, 'signed.go'), snippet('go'))
    writeFileSync(join(folder, 'main.go'), `package main

import (
  "fmt"
  "net/http"
  "os"
)

func main() {
  header := http.Header{}
  header.Set("webhook-id", os.Args[1])
  header.Set("webhook-timestamp", os.Args[2])
  header.Set("webhook-signature", os.Args[3])
  fmt.Println(isSigned(header, []byte(os.Args[4]), os.Args[5:]))
}
`)
    const program = join(folder, 'verify')
    const { code, stderr } =
      await run('go', ['build', '-o', program, join(folder, 'signed.go'), join(folder, 'main.go')], {})
    if (code !== 0) throw new Error(stderr)
    return [program]
  },
  java: async (folder) => {
    const file = join(folder, 'Verify.java')
    const [imports = '', rest = ''] = snippet('java').split(/\n(?=class )/)
    // The first class of a file is the one that runs.
    writeFileSync(file, `${imports}
class Verify {
    public static void main(String[] args) throws Exception {
        List<String> secrets = List.of(args).subList(4, args.length);
        System.out.println(Signatures.isSigned(args[0], args[1], args[2], args[3].getBytes(), secrets));
    }
}
${rest}`)
    return ['java', file]
  }
}

for (const [language, prepare] of Object.entries(PROGRAMS)) {
  t.test(`${language}: the page shows how to verify a signature`, async (t) => {
    const [command = '', ...before] = await prepare(t.testdir())
    for (const { headers, body, isGood } of CASES) {
      const own = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => headers[name] ?? '')
      const { stdout, stderr } = await run(command, [...before, ...own, body, ...SECRETS], {})
      t.equal(stdout.trim(), String(isGood), stderr)
    }
  })
}
