import { pino } from 'pino'
import t from 'tap'
import { CertificateEnd } from '../../../src/plugins/certificate-end.ts'

const DAY_MS = 24 * 60 * 60 * 1000

t.test('the end of a certificate is a warning once a day, from 14 days before', (t) => {
  const log: string[] = []
  const end = new CertificateEnd(pino({}, { write: (line: string) => { log.push(JSON.parse(line).msg) } }))
  const validTo = new Date(Date.now() + 20 * DAY_MS)
  end.set(validTo)
  t.equal(end.seconds, validTo.getTime() / 1000)
  end.check(validTo.getTime() - 15 * DAY_MS)
  t.same(log, [])
  for (let hours = 14 * 24 - 1; hours > 12 * 24; hours--) end.check(validTo.getTime() - hours * DAY_MS / 24)
  t.same(log, Array(2).fill('the TLS certificate ends in less than 14 days: renew it'))
  end.check(validTo.getTime() + 1)
  t.equal(log.at(-1), 'the TLS certificate has ended: clients refuse it')
  end.set(new Date(Date.now() + 90 * DAY_MS))
  t.equal(log.length, 3, 'a new certificate ends the warnings')
  end.set(new Date(Date.now() + DAY_MS))
  t.equal(log.length, 4, 'a new certificate that ends soon is a warning at once')
  t.end()
})
