package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
)

// auditPolicy logs the requests of one user and of nobody else, each once it is answered, without what was sent and
// returned. Watches, which may outlive the run, are logged when they are answered for the first time, too.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  users: [%q]
`

func (c *cluster) addAuditFlag(flags *flag.FlagSet) {
	flags.StringVar(&c.audited, "audit", "", "user whose requests are logged in log/audit.log (default: nobody's)")
}

// auditArguments are kube-apiserver's for --audit, after they have become possible: none without it.
func (c *cluster) auditArguments() ([]string, error) {
	log, policy := c.path("log", "audit.log"), c.path("audit-policy.yaml")
	// The API server would go on with what an earlier run has left.
	for _, earlier := range []string{log, policy} {
		if err := os.Remove(earlier); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if c.audited == "" {
		return nil, nil
	}
	if err := os.WriteFile(policy, fmt.Appendf(nil, auditPolicy, c.audited), 0o600); err != nil {
		return nil, err
	}
	return []string{"--audit-policy-file=" + policy, "--audit-log-path=" + log}, nil
}
