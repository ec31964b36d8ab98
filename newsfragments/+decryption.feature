Meters that encrypt what they print, in Luxembourg and in parts of Austria, are read with `--decryption-key-file FILE`; see `docs/meters.md`.
Each frame's tag is checked and its counter must rise; `/health` counts those that were refused, and says when a line looks encrypted and no key was given.
