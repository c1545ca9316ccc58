// Node's runner ends a file that takes too long by a signal, which would leave the servers running that the file has
// started: those are ended on `exit`.
for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]]) process.once(signal, () => process.exit(code));
