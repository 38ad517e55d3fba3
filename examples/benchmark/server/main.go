// Server plays the Messages API for the benchmark: a scripted model whose
// answers are prepared bytes, in a process of its own. It prints its base URL
// on one line and serves until its standard input ends.
//
//	GET /stats   what it has seen, as JSON
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	turns := flag.Int("turns", 50, "steps with tool calls in each conversation")
	parallel := flag.Int("parallel", 1, "tool calls in each step")
	delay := flag.Duration("delay", 0, "wait before each answer")
	bill := flag.Bool("bill", false, "reckon what the conversations cost; slow")
	h2 := flag.String("h2", "", "serve HTTP/2 over TLS, and write the certificate to this `file` for SSL_CERT_FILE")
	flag.Parse()
	s := &server{script: newScript(*turns, *parallel), gaps: newGaps(), delay: *delay}
	if *bill {
		s.bills = newBills()
	}
	if err := s.listen(*h2); err != nil {
		log.Fatal("server: ", err)
	}
	io.Copy(io.Discard, os.Stdin)
}

// listen serves in the background, on a free port of this machine.
func (s *server) listen(certFile string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if certFile == "" {
		fmt.Printf("http://%s\n", l.Addr())
		go s.serve(l)
		return nil
	}
	config, err := selfSigned(certFile)
	if err != nil {
		return err
	}
	fmt.Printf("https://%s\n", l.Addr())
	srv := &http.Server{Handler: s, TLSConfig: config, ReadHeaderTimeout: time.Minute}
	srv.HTTP2 = &http.HTTP2Config{MaxReadFrameSize: 16 << 10} // the protocol's default, and most services'
	go srv.ServeTLS(l, "", "")
	return nil
}
