package wire

// Version is the version of the module, without the v of its tag. It stands in
// the User-Agent header of requests and in the instrumentation scope of spans and
// metrics.
const Version = "0.2.0"
