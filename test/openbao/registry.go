package main

import (
	"github.com/openbao/openbao/builtin/credential/approle"
	"github.com/openbao/openbao/builtin/credential/cert"
	"github.com/openbao/openbao/builtin/logical/kv"
	"github.com/openbao/openbao/builtin/logical/pki"
	"github.com/openbao/openbao/builtin/logical/transit"
	"github.com/openbao/openbao/sdk/v2/helper/consts"
	"github.com/openbao/openbao/sdk/v2/logical"
)

// registry says which parts are built in.
type registry struct{}

func logicals() map[string]logical.Factory {
	return map[string]logical.Factory{"transit": transit.Factory, "pki": pki.Factory, "kv": kv.Factory}
}

func creds() map[string]logical.Factory {
	return map[string]logical.Factory{"approle": approle.Factory, "cert": cert.Factory}
}

func (registry) of(t consts.PluginType) map[string]logical.Factory {
	switch t {
	case consts.PluginTypeSecrets:
		return logicals()
	case consts.PluginTypeCredential:
		return creds()
	}
	return nil
}

// Contains implements vault.BuiltinRegistry.
func (r registry) Contains(name string, t consts.PluginType) bool {
	_, ok := r.of(t)[name]
	return ok
}

// Get implements vault.BuiltinRegistry.
func (r registry) Get(name string, t consts.PluginType) (func() (interface{}, error), bool) {
	f, ok := r.of(t)[name]
	return func() (interface{}, error) { return f, nil }, ok
}

// Keys implements vault.BuiltinRegistry.
func (r registry) Keys(t consts.PluginType) (keys []string) {
	for name := range r.of(t) {
		keys = append(keys, name)
	}
	return keys
}

// DeprecationStatus implements vault.BuiltinRegistry.
func (r registry) DeprecationStatus(name string, t consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, r.Contains(name, t)
}
