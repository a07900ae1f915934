package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAuditArguments(t *testing.T) {
	c := &cluster{dir: t.TempDir(), audited: "system:serviceaccount:a:b"}
	if err := os.MkdirAll(c.path("log"), 0o700); err != nil {
		t.Fatal(err)
	}
	log := c.path("log", "audit.log")
	if err := os.WriteFile(log, []byte("of an earlier run"), 0o600); err != nil {
		t.Fatal(err)
	}
	args, err := c.auditArguments()
	if err != nil {
		t.Fatal(err)
	}
	if want := "--audit-log-path=" + log; len(args) != 2 || args[1] != want {
		t.Errorf("arguments %q, and not %q", args, want)
	}
	policy, err := os.ReadFile(strings.TrimPrefix(args[0], "--audit-policy-file="))
	if err != nil || !strings.Contains(string(policy), `users: ["system:serviceaccount:a:b"]`) {
		t.Errorf("policy %q, %v", policy, err)
	}

	c.audited = ""
	args, err = c.auditArguments()
	if err != nil || len(args) > 0 {
		t.Errorf("without the flag: %q, %v", args, err)
	}
	for _, name := range []string{log, filepath.Join(c.dir, "audit-policy.yaml")} {
		if _, err := os.Stat(name); !os.IsNotExist(err) {
			t.Errorf("%s of an earlier run is still there", name)
		}
	}
}
