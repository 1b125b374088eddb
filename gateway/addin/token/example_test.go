package token_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/siegel-mail/siegel/gateway/addin/token"
)

func ExampleVerifier() {
	keys := token.NewKeys(token.NewClient(nil, nil).Tenant("https://login.microsoftonline.com", "6f1a2b3c-0d4e-4f56-8a9b-0c1d2e3f4a5b"), nil)
	v := token.Verifier{Entra: token.NewEntra(token.EntraOptions{
		Tenant: "6f1a2b3c-0d4e-4f56-8a9b-0c1d2e3f4a5b", Client: "0c9d8e7f-6a5b-4c3d-9e2f-1a0b9c8d7e6f", Audiences: []string{"0c9d8e7f-6a5b-4c3d-9e2f-1a0b9c8d7e6f"},
		Scope: "access_as_user", Authority: "https://login.microsoftonline.com", Keys: keys,
	})}
	_, err := v.Verify(context.Background(), "eyJhbGciOiJub25lIn0.e30.")
	fmt.Println(errors.Is(err, token.ErrInvalid), err)
	// Output: true token: it proves nothing: there is no signature
}
