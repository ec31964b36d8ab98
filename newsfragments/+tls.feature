`--http ssl:8443:privateKey=KEY.pem:certKey=CERTIFICATE.pem` serves with TLS, with the extra `tls`; how to make a certificate is in `docs/deployment.md`.
`X-Forwarded-For` of a trusted proxy tells which client wrong keys and requests are counted for.
