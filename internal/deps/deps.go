// Package deps keeps the module list while the packages that need it are written. It is removed before the first release.
package deps

import (
	_ "github.com/alecthomas/kong"
	_ "github.com/emersion/go-sasl"
	_ "github.com/emersion/go-smtp"
	_ "github.com/prometheus/client_golang/prometheus"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/prometheus/client_golang/prometheus/testutil"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "github.com/rogpeppe/go-internal/txtar"
	_ "github.com/sirupsen/logrus"
	_ "github.com/sirupsen/logrus/hooks/test"
	_ "github.com/smallstep/pkcs7"
	_ "github.com/tink-crypto/tink-go/v2/streamingaead/subtle"
	_ "go.mozilla.org/pkcs7"
	_ "go.uber.org/goleak"
	_ "go.yaml.in/yaml/v3"
	_ "golang.org/x/crypto/bcrypt"
	_ "golang.org/x/net/idna"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/text/encoding/htmlindex"
	_ "golang.org/x/text/encoding/ianaindex"
	_ "modernc.org/sqlite"
	_ "pgregory.net/rapid"
	_ "software.sslmate.com/src/go-pkcs12"
)
