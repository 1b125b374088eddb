package probe_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe"
)

// A web server is asked what its TLS accepts.
func Example() {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it is asked for much that it refuses
	server.StartTLS()
	defer server.Close()
	target, err := probe.ParseTarget(server.Listener.Addr().String(), probe.HTTPS, false)
	if err != nil {
		panic(err)
	}
	report := probe.Probe(context.Background(), target, probe.Options{})
	fmt.Println(report.Accepted.Versions, report.Preferred.Suite)
	// Output: [TLS1.3 TLS1.2] TLS_AES_128_GCM_SHA256
}
