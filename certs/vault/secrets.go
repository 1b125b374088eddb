package vault

import (
	"context"

	"github.com/siegel-mail/siegel/internal/secret"
)

// maxSecret bounds a secret.
const maxSecret = 64 << 10

// Secret reads a field of a secret of the key-value engine (version 2), the newest version of it.
func (c *Client) Secret(ctx context.Context, path, field string) (secret.String, error) {
	at := c.o.KV + "/data/" + path
	answer, err := c.do(ctx, read(opSecret, at))
	if err != nil {
		return secret.String{}, err
	}
	fail := func(what, do string) (secret.String, error) {
		return secret.String{}, &ConfigError{c.o.Name, what, do}
	}
	if answer == nil || answer.Data["data"] == nil {
		if answer != nil && len(answer.Warnings) > 0 {
			return fail("there is no secret at "+at, "Look whether the engine is the key-value engine of version 2, which is needed")
		}
		return fail("there is no secret at "+at, "Write it: vault kv put -mount="+c.o.KV+" "+path+" "+field+"=…")
	}
	fields, ok := answer.Data["data"].(map[string]any)
	if !ok {
		return fail("what is at "+at+" is no secret of the key-value engine of version 2", "")
	}
	text, ok := fields[field].(string)
	switch {
	case !ok:
		return fail("the secret at "+at+" has no field "+field+" with a text", "Write it: vault kv patch -mount="+c.o.KV+" "+path+" "+field+"=…")
	case text == "":
		return fail("the field "+field+" of the secret at "+at+" is empty", "")
	case len(text) > maxSecret:
		return fail("the field "+field+" of the secret at "+at+" is too large for a secret", "")
	}
	return secret.New(text), nil
}
