import { CERTIFICATE_FILE, type CertificateEntry } from '../access/certificates/certificate-file.ts'
import { EntryFileError } from '../access/entries/entry-file.ts'
import type { Way } from './access.ts'
import { BadValue, type SettingReader } from './setting-reader.ts'
import type { TlsSettings } from './tls.ts'

/** What each client certificate allows. */
export function readClientCertificates (read: SettingReader) {
  return read.reloadedFile(
    'CLIENT_CERTIFICATES_PATH',
    parseCertificates,
    'JSON file that says what each client certificate allows, see docs/tls.md. It is read again when it changes, and ' +
    'on SIGHUP'
  )
}

/** Notes what mTLS lacks, and settings of mTLS without `AUTH=mtls`. */
export function refuseCertificateCombinations (
  read: SettingReader,
  { ways = [], tls }: { ways?: readonly Way[] | undefined, tls: TlsSettings | undefined }
): void {
  const hasFile = read.isSet('CLIENT_CERTIFICATES_PATH')
  if (!ways.includes('mtls')) {
    if (hasFile) {
      read.reject('CLIENT_CERTIFICATES_PATH', 'is set, but AUTH does not list mtls: add it to AUTH')
    }
    return
  }
  if (!hasFile) read.reject('AUTH', 'lists mtls, which needs CLIENT_CERTIFICATES_PATH')
  if (tls?.clientCa === undefined && !read.isSet('HTTP_TLS_CLIENT_CA_PATH')) {
    read.reject(
      'AUTH',
      'lists mtls, which needs HTTP_TLS_CERT_PATH, HTTP_TLS_KEY_PATH, HTTP_TLS_CLIENT_CA_PATH, and ' +
      'HTTP_TLS_CLIENT_AUTH optional or required'
    )
  }
}

function parseCertificates (text: string): readonly CertificateEntry[] {
  try {
    return CERTIFICATE_FILE.parse(text)
  } catch (error) {
    throw error instanceof EntryFileError ? new BadValue(error.message) : error
  }
}
