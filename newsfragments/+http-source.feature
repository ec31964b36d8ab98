`--device http://HOST/api/v1/telegram,crc=optional` reads a dongle that has to be asked over HTTP, such as HomeWizard's, once a second; `,crc=` behind a device is `--crc` for that one alone.
