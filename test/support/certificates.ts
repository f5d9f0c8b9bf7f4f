import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Certificate { readonly cert: string, readonly key: string }

/** A certificate authority for a test, made by openssl. Its keys protect nothing. */
export class TestAuthority {
  readonly #directory = mkdtempSync(join(tmpdir(), 'test-authority-'))
  readonly ca: string

  constructor (name: string) {
    this.#newKey('ca')
    this.#openssl('req', '-x509', '-new', '-key', 'ca-key.pem', '-subj', `/CN=${name}`, '-days', '2', '-out', 'ca.pem')
    this.ca = this.#read('ca.pem')
  }

  /** For a server that is reached by this name or 127.0.0.1. */
  server (name: string): Certificate {
    return this.#issue('server', name, `subjectAltName=DNS:${name},IP:127.0.0.1`, 2)
  }

  /** Expired since yesterday. */
  expiredServer (name: string): Certificate {
    return this.#issue('expired', name, `subjectAltName=DNS:${name},IP:127.0.0.1`, -1)
  }

  /** @param names further names, such as `URI:spiffe://example/billing` */
  client (commonName: string, names?: string): Certificate {
    return this.#issue('client', commonName, clientExtensions(names), 2)
  }

  /** Expired since yesterday. */
  expiredClient (commonName: string): Certificate {
    return this.#issue('client', commonName, clientExtensions(), -1)
  }

  /** A list of revoked certificates. */
  revocations (...revoked: readonly Certificate[]): string {
    const config = 'revocations.cnf'
    this.#write('index.txt', '')
    this.#write('index.txt.attr', 'unique_subject = no')
    this.#write(config, ['[ca]', 'default_ca = list', '[list]', 'database = index.txt', 'default_md = sha256',
      'default_crl_days = 2', 'certificate = ca.pem', 'private_key = ca-key.pem'].join('\n'))
    for (const { cert } of revoked) {
      this.#write('revoked.pem', cert)
      this.#openssl('ca', '-config', config, '-revoke', 'revoked.pem')
    }
    this.#openssl('ca', '-config', config, '-gencrl', '-out', 'crl.pem')
    return this.#read('crl.pem')
  }

  /** Deletes its files. */
  close (): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }

  #issue (file: string, commonName: string, extension: string, days: number): Certificate {
    this.#newKey(file)
    this.#write('extensions', extension)
    this.#openssl('req', '-new', '-key', `${file}-key.pem`, '-subj', `/CN=${commonName}`, '-utf8',
      '-out', `${file}.csr`)
    const authority = ['-CA', 'ca.pem', '-CAkey', 'ca-key.pem', '-CAcreateserial']
    const lifetime = ['-days', String(days), '-extfile', 'extensions']
    this.#openssl('x509', '-req', '-in', `${file}.csr`, ...authority, ...lifetime, '-out', `${file}.pem`)
    return { cert: this.#read(`${file}.pem`), key: this.#read(`${file}-key.pem`) }
  }

  #newKey (file: string): void {
    this.#openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', `${file}-key.pem`)
  }

  #openssl (...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.#directory, stdio: 'pipe' })
  }

  #write (file: string, content: string): void {
    writeFileSync(join(this.#directory, file), content)
  }

  #read (file: string): string {
    return readFileSync(join(this.#directory, file), 'utf8')
  }
}

function clientExtensions (names?: string): string {
  return ['extendedKeyUsage=clientAuth', ...names === undefined ? [] : [`subjectAltName=${names}`]].join('\n')
}
