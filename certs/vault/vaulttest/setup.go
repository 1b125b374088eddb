package vaulttest

import (
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"
)

// Write writes to a path as root, and returns what the server answers.
func (s *Server) Write(t testing.TB, path string, data map[string]any) map[string]any {
	t.Helper()
	answer, err := s.root.Logical().Write(path, data)
	if err != nil {
		t.Fatal(err)
	}
	if answer == nil {
		return nil
	}
	return answer.Data
}

// Mount mounts a secrets engine, such as transit, pki or kv (version 2), at a path.
func (s *Server) Mount(t testing.TB, path, kind string) {
	t.Helper()
	in := &api.MountInput{Type: kind, Config: api.MountConfigInput{MaxLeaseTTL: "87600h"}}
	if kind == "kv" {
		in.Options = map[string]string{"version": "2"}
	}
	if err := s.root.Sys().Mount(path, in); err != nil {
		t.Fatal(err)
	}
	for kind == "kv" { // it begins as one of version 1, and makes itself one of version 2
		_, err := s.root.Logical().Read(path + "/config")
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), "brief period") {
			t.Fatal(err)
		}
	}
}

// Policy writes a policy in HCL.
func (s *Server) Policy(t testing.TB, name, hcl string) {
	t.Helper()
	if err := s.root.Sys().PutPolicy(name, hcl); err != nil {
		t.Fatal(err)
	}
}

// NewToken makes a token with a policy and options such as ttl, period and explicit_max_ttl.
func (s *Server) NewToken(t testing.TB, policy string, options map[string]any) string {
	t.Helper()
	data := map[string]any{"policies": []string{policy}, "no_default_policy": true}
	for k, v := range options {
		data[k] = v
	}
	answer, err := s.root.Logical().Write("auth/token/create-orphan", data)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Auth.ClientToken
}

// AppRole makes a role with a policy, and gives its two ids.
func (s *Server) AppRole(t testing.TB, role, policy string, options map[string]any) (roleID, secretID string) {
	t.Helper()
	if mounts, err := s.root.Sys().ListAuth(); err != nil {
		t.Fatal(err)
	} else if mounts["approle/"] == nil {
		if err := s.root.Sys().EnableAuthWithOptions("approle", &api.EnableAuthOptions{Type: "approle"}); err != nil {
			t.Fatal(err)
		}
	}
	data := map[string]any{"token_policies": policy}
	for k, v := range options {
		data[k] = v
	}
	s.Write(t, "auth/approle/role/"+role, data)
	answer, err := s.root.Logical().Read("auth/approle/role/" + role + "/role-id")
	if err != nil {
		t.Fatal(err)
	}
	secret := s.Write(t, "auth/approle/role/"+role+"/secret-id", nil)
	return answer.Data["role_id"].(string), secret["secret_id"].(string)
}

// Within makes a namespace, and those above it, and gives the server as it is from within: what Write, Mount, Policy, NewToken and AppRole do
// is done there. Stop and the others are those of s, which is to be used for them.
func (s *Server) Within(t testing.TB, namespace string) *Server {
	t.Helper()
	above := ""
	for name := range strings.SplitSeq(namespace, "/") {
		if _, err := s.root.WithNamespace(above).Logical().Write("sys/namespaces/"+name, nil); err != nil {
			t.Fatal(err)
		}
		above = strings.TrimPrefix(above+"/"+name, "/")
	}
	within := *s
	within.root = s.root.WithNamespace(namespace)
	return &within
}
