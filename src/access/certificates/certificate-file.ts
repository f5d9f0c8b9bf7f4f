import { EntryFile } from '../entries/entry-file.ts'
import type { Entry } from '../entries/entry.ts'

/** A client certificate in the file of certificates: who it is, by a name in it. */
export interface CertificateEntry extends Entry {
  readonly subject: string
}

/** Files of client certificates: `{ "certificates": [...] }`. */
export const CERTIFICATE_FILE = new EntryFile<CertificateEntry>({
  list: 'certificates',
  field: 'subject',
  schema: {
    type: 'string',
    pattern: '^[^\\p{Cc}]{1,1000}$',
    description: 'the URI, the DNS name or the common name of a certificate'
  }
})
