import t from 'tap'
import { isPublic } from '../../../src/push/endpoint/addresses.ts'
import { Guard, GuardError } from '../../../src/push/endpoint/guard.ts'

const CLOSED = new Guard({ allowHttp: false, allowedHosts: [], allowedNetworks: [] })
const OPENED = new Guard({ allowHttp: true, allowedHosts: ['localhost'], allowedNetworks: ['10.1.0.0/16', 'fd00::1'] })

t.test('an address that is not of the public internet is refused, however it is written', (t) => {
  const refused = [
    '127.0.0.1', '10.0.0.1', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '224.0.0.1',
    '240.0.0.1', '255.255.255.255', '192.0.2.1', '198.18.0.1', '::', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1',
    '::ffff:10.0.0.1', '::127.0.0.1', '::7f00:1', '64:ff9b::7f00:1', '64:ff9b:1::a00:1', '2002:7f00:1::',
    '2001:0:4136:e378:8000:63bf:3fff:fdd2', '::ffff:0:127.0.0.1', 'fe80::1', 'fec0::1', 'fc00::1', 'ff02::1',
    '2001:db8::1', '100::1', '', 'localhost', '127.1', '0x7f.1'
  ]
  for (const address of refused) t.equal(isPublic(address), false, address)
  for (const address of ['8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8']) t.equal(isPublic(address), true, address)
  t.end()
})

t.test('a URL that leads inside is refused when the subscription is made', (t) => {
  const hosts = [
    '127.0.0.1', '127.1', '2130706433', '0x7f000001', '0x7f.1', '0177.0.0.1', '[::1]', '[::ffff:127.0.0.1]',
    '[64:ff9b::7f00:1]', '[2002:7f00:1::]', '[::7f00:1]', '169.254.169.254'
  ]
  for (const host of hosts) t.equal(CLOSED.refusalOf(`https://${host}/hook`), 'must have a public address', host)
  t.equal(CLOSED.refusalOf('https://hooks.example.com/orders?a=1'), undefined)
  t.equal(CLOSED.refusalOf('http://hooks.example.com/'), 'must begin with https://')
  t.equal(CLOSED.refusalOf('file:///etc/passwd'), 'must begin with https://')
  t.match(CLOSED.refusalOf('https://user:secret@example.com/'), /must not have a user or a password/)
  t.match(CLOSED.refusalOf('https://example.com:25/'), /must have port 80, 443/)
  t.equal(CLOSED.refusalOf('https://example.com:8443/'), undefined)
  t.equal(CLOSED.refusalOf('hook'), 'must be an absolute URL')
  t.equal(OPENED.refusalOf('http://10.1.2.3/'), undefined)
  t.equal(OPENED.refusalOf('http://10.2.2.3/'), 'must have a public address')
  t.end()
})

const resolved = async (guard: Guard, hostname: string) => await new Promise((resolve) => {
  guard.lookup(hostname, { all: true }, (error, addresses) => { resolve(error ?? addresses) })
})

t.test('a name with a private address is refused at the moment of the connection', async (t) => {
  t.match(await resolved(CLOSED, 'localhost'), new GuardError('localhost has an address that is not public'))
  t.type(await resolved(OPENED, 'localhost'), Array)
  t.throws(() => { CLOSED.admit('[::1]') }, GuardError)
  t.doesNotThrow(() => { OPENED.admit('[fd00::1]') })
})
