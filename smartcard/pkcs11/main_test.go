package pkcs11_test

import (
	"testing"

	"go.uber.org/goleak"
)

// Nothing runs on after the tests.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
