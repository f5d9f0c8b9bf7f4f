import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { projectDirectory } from './setup/paths.mjs'

// Otherwise the build would keep the output of a source file that has been deleted.
rmSync(join(projectDirectory, 'dist'), { recursive: true, force: true })
